#include "schedule/steps/bind.h"

#include "schedule/steps/common.h"

namespace tessera::schedule {

Result<State> Bind::apply(const State& state) const {
  TESSERA_TRY(ref, require_plain_loop(state, stage, axis, "bind"));
  const Axis& a = *ref.stage->find_axis(axis);
  if (!ir::is_block_level(to) && !ir::is_thread_level(to)) {
    return refuse("bind takes block.x, block.y, block.z, thread.x, thread.y, thread.z, warp or lane, not '", ir::to_string(to), "'");
  }
  if (a.kind == AxisKind::kReduce && ir::is_block_level(to)) {
    return refuse("loop '", axis, "' of stage '", stage, "' is a reduction: blocks would write the same element; rfactor it and bind the new data axis");
  }
  if (to == ForKind::kLane && a.extent > 32) {
    return refuse("loop '", axis, "' of stage '", stage, "' runs ", a.extent, " times; a warp has 32 lanes, split it first");
  }
  State next = state;
  next.edit(stage).find_axis(axis)->loop = to;
  return finish_step(std::move(next));
}

}  // namespace tessera::schedule
