// What stages that are computed inside of others take of a thread's memory.
#pragma once

#include "polyhedral/decisions.h"
#include "schedule/state.h"

namespace tessera::polyhedral::detail {

constexpr std::int64_t kScratchBytes = 448 << 10;  // of a thread, in part of the stack that kernels get

std::int64_t scratch_bytes(const schedule::State& state);

/// Bounds the tiles (sizes "*.tile") of a plan from `initial` by the scratch memory that they take, where that holds for
/// what was chosen; else they may not grow. Extents of regions grow no faster than the tiles that they belong to, so
/// the bytes of the smallest tiles times their growth are enough for all others.
Status bound_tiles(PlannedSteps& plan, const schedule::State& initial);

}  // namespace tessera::polyhedral::detail
