#pragma once

#include "schedule/state.h"

namespace tessera::schedule {

/// Whether an element of a stage costs a function or a division; or, where a reduction reads each of them many times and
/// its sums would wait, a branch or a division of indices. What kernels for CUDA compute once rather than inline.
bool is_costly(const Stage& s, bool read_many_times);

}  // namespace tessera::schedule
