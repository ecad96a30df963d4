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
    std::int64_t bytes = 0;
    for (const Buffer& b : s->outputs) {
      std::int64_t n = b->dtype.bytes();
      for (const std::int64_t e : s->region.bound) n = std::min(n * e, std::int64_t{1} << 40);
      bytes += n;
    }
    if (bytes > 16384) return refuse("the tile of stage '", stage, "' takes ", bytes, " bytes; a register tile has at most 16384");
  }
  State next = state;
  next.edit(stage).scope = scope;
  return finish_step(std::move(next));
}

}  // namespace tessera::schedule
