#include "schedule/steps/unroll.h"

#include "schedule/steps/common.h"

namespace tessera::schedule {

Result<State> Unroll::apply(const State& state) const {
  TESSERA_TRY(ref, require_plain_loop(state, stage, axis, "unroll"));
  const std::int64_t n = ref.stage->find_axis(axis)->extent;
  if (n > 512) return refuse("loop '", axis, "' of stage '", stage, "' runs ", n, " times; unroll takes at most 512, split it first");
  State next = state;
  next.edit(stage).find_axis(axis)->loop = ForKind::kUnroll;
  return finish_step(std::move(next));
}

}  // namespace tessera::schedule
