// The table of the GPU prelude, a family a file. A row may use the rows above it; which ones, its
// text says.
#pragma once

#include <string>
#include <vector>

namespace tessera::codegen::cuda {

struct PreludeRow {
  std::string name;
  std::string text;
  int arch = 70;  // the lowest that has it
};
using PreludeRows = std::vector<PreludeRow>;

PreludeRows scalar_rows();
PreludeRows conversion_rows();
PreludeRows vector_rows();
PreludeRows memory_rows();
PreludeRows sync_rows();
PreludeRows mma_rows();
PreludeRows atomic_rows();
PreludeRows math_rows();

}  // namespace tessera::codegen::cuda
