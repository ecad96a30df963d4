#include "schedule/steps/finish_in_last_block.h"

#include "schedule/steps/common.h"

namespace tessera::schedule {

Result<State> FinishInLastBlock::apply(const State& state) const {
  TESSERA_TRY(s, require_compute(state, stage, "finish_in_last_block"));
  if (s->in_last_block) return refuse("stage '", stage, "' is computed by the last block already");
  State next = state;
  next.edit(stage).in_last_block = true;
  return finish_step(std::move(next));
}

}  // namespace tessera::schedule
