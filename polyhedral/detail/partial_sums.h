// Reductions along contiguous memory.
#pragma once

#include <optional>

#include "polyhedral/detail/draft.h"

namespace tessera::polyhedral::detail {

struct PartialSums {
  std::string stage, axis;                 // the reduction, and its axis along which memory is contiguous
  int lanes = 1;                           // of a vector
  std::int64_t rows = 1, columns = 1;      // of results that registers hold together
  schedule::Param groups = 1;              // vectors of partial sums for each of them, so that additions do not wait for each other
  schedule::Param unroll = 1;              // copies of the innermost reduction
  std::optional<schedule::Attach> place;   // where the reduction is computed; nothing: where it is
};

/// Vectors of partial sums (`stage`.part, and where there are several groups `stage`.groups before it) for a tile of results
/// at a time, in registers, then their sums. `loops` are names of loops of the stage; those that are cut become the loop
/// over their tiles.
Status sum_in_vectors(Draft& draft, const PartialSums& sums, Names& loops);

}  // namespace tessera::polyhedral::detail
