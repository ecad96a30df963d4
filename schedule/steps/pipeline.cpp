#include "schedule/steps/pipeline.h"

#include "schedule/steps/common.h"

namespace tessera::schedule {

Result<State> Pipeline::apply(const State& state) const {
  TESSERA_TRY(s, require_compute(state, stage, "pipeline"));
  TESSERA_TRY(n, value_of(slots, "slots", 1, 8));
  if (s->scope != ir::Scope::kShared) {
    return refuse("stage '", stage, "' is in ", ir::to_string(s->scope), " memory; tiles of a pipeline are shared, set its scope first");
  }
  State next = state;
  next.edit(stage).slots = static_cast<int>(n);
  return finish_step(std::move(next));
}

}  // namespace tessera::schedule
