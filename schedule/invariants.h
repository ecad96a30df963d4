// What holds in every State, whichever steps led there: one place for the rules that a later step
// (a reorder, a split, a move of the host) could break behind the back of the step that set them up.
#pragma once

#include "schedule/state.h"

namespace tessera::schedule {

/// Refuses, naming stage and loop, when
///   a buffer is stored inside the place where it is computed, or apart from it, or shared by the
///   iterations of a parallel loop;
///   a parallel loop runs inside another or inside vector lanes;
///   a stage is computed inside vector lanes;
///   a register tile is at root, too large, or used across the boundary of an outlined loop.
Status check_invariants(const State& state);

/// Bytes of the box of `s` that one place of computation keeps.
std::int64_t tile_bytes(const Stage& s);
inline constexpr std::int64_t kMostRegisterBytes = 16384;

}  // namespace tessera::schedule
