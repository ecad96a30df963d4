// The GPU prelude: what the names of docs/reference/cuda_text.md mean to NVRTC and nvcc. A text
// needs only the rows that it uses, so a kernel compiles in a tenth of a second with no header.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace tessera::codegen::cuda {

/// The definitions of all names that `kernel` uses and of what they use in turn, in an order that
/// compiles. `prelude + kernel` is a whole translation unit.
std::string cuda_prelude(std::string_view kernel);

/// Every name that the prelude defines, helpers included, in the order of the table.
std::vector<std::string> cuda_prelude_names();

/// The lowest architecture that runs what `kernel` uses: 70, 75 or 80.
int cuda_prelude_arch(std::string_view kernel);

}  // namespace tessera::codegen::cuda
