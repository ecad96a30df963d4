// Rolling windows: which part of the box of a stage the iterations before have left to compute.
#pragma once

#include "schedule/state.h"

namespace tessera::schedule {

/// The dimension of `box` that moves along the loop at which `s` is computed, when it is the only one
/// and never goes back. Refuses other boxes.
Result<std::size_t> rolling_dimension(const State& state, const Stage& s, const Box& box);
/// The part of `box` that no earlier iteration of that loop has computed. Its bound stays that of the
/// whole: the first iteration has nothing to keep.
Result<Box> rolled_box(const State& state, const Stage& s, const Box& box);

}  // namespace tessera::schedule
