// Threads of a block that hand elements over through shared memory.
#pragma once

#include "polyhedral/detail/flow.h"

namespace tessera::polyhedral::detail {

/// Between two statements over threads that touch an element of shared memory, one of them writing, stands a
/// barrier, around loops too; and all threads reach every barrier. Which thread runs an iteration is not looked
/// at: those of two statements count as different.
void check_barriers(const Judged& judged, Verdict& verdict);

}  // namespace tessera::polyhedral::detail
