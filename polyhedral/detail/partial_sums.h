// Reductions along contiguous memory.
#pragma once

#include <optional>

#include "polyhedral/detail/draft.h"

namespace tessera::polyhedral::detail {

struct PartialSums {
  std::string stage, axis;                 // the reduction, and its axis along which memory is contiguous
  int lanes = 1, columns = 1;              // of a vector; results beside each other that registers hold
  std::optional<schedule::Attach> place;   // where the reduction is computed; nothing: where it is
};

/// Vectors of partial sums (`stage`.part) for a tile of results at a time, in registers, then their sums. `loops` are
/// names of loops of the stage; those that are cut become the loop over their tiles.
Status sum_in_vectors(Draft& draft, const PartialSums& sums, Names& loops);

}  // namespace tessera::polyhedral::detail
