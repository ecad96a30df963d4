// The table of the GPU prelude, a family a file. A row may use the rows above it; which ones, its
// text says.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace tessera::codegen::cuda {

struct PreludeRow {
  std::string name;
  std::string text;
  int arch = 70;  // the lowest that has it
};
using PreludeRows = std::vector<PreludeRow>;

/// Rows written as CUDA text: each begins with a line "//: NAME" or "//: NAME sm_80".
PreludeRows read_rows(std::string_view text);

/// `text` with every occurrence of the first word of each pair replaced by the second.
std::string with(std::string text, const std::vector<std::pair<std::string, std::string>>& words);

PreludeRows scalar_rows();
PreludeRows conversion_rows();
PreludeRows vector_rows();
PreludeRows memory_rows();
PreludeRows sync_rows();
PreludeRows mma_rows();
PreludeRows atomic_rows();
PreludeRows math_rows();

}  // namespace tessera::codegen::cuda
