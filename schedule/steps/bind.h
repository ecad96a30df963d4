#pragma once

#include <string>
#include <vector>

#include "schedule/plan.h"
#include "schedule/state.h"

namespace tessera::schedule {

/// Spreads the iterations of a loop over a level of the GPU: block.x/y/z over the grid, thread.x/y/z over
/// the threads of a block, or, instead of thread.x, warp and lane (32 lanes a warp).
///
///   split(C, i -> i0 i1, 8); bind(C, i0, block.x); bind(C, i1, thread.x)
///
/// Blocks are the outermost loops of a stage at root. Stages that are computed inside them, but outside
/// of thread loops, are shared by the block and bring thread loops of their own. A reduction loop may be
/// bound to threads: each adds up its part, then the parts meet (shuffles, shared memory); several may be, to warp
/// and lane or to neighbouring levels of thread.x/y/z.
/// Refuses: loops with a mark, blocks that are not outermost, reductions over blocks (rfactor first), a
/// level that a loop around or inside is bound to already. That a block has at most 1,024 threads is
/// checked when its kernel is lowered.
struct Bind {
  static constexpr const char* kName = "bind";
  std::string stage;
  std::string axis;
  ir::ForKind to = ir::ForKind::kThreadX;
  static constexpr auto fields() {
    return std::tuple{field("stage", &Bind::stage), field("axis", &Bind::axis), field("to", &Bind::to)};
  }
  Result<State> apply(const State& state) const;
  bool operator==(const Bind&) const = default;
};

}  // namespace tessera::schedule
