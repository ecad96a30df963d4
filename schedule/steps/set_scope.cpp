#include "schedule/steps/set_scope.h"

#include "schedule/steps/common.h"

namespace tessera::schedule {

Result<State> SetScope::apply(const State& state) const {
  TESSERA_TRY(s, require_compute(state, stage, "set_scope"));
  if (s->is_output && scope != ir::Scope::kGlobal) {
    return refuse("stage '", stage, "' is an output of the program and lives in global memory");
  }
  if (scope == ir::Scope::kRegister) {
    if (s->placement != Placement::kAt) {
      return refuse("stage '", stage, "' is computed at root; a register tile needs compute_at first");
    }
  }
  State next = state;
  next.edit(stage).scope = scope;
  return finish_step(std::move(next));
}

}  // namespace tessera::schedule
