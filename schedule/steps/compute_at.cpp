#include "schedule/steps/compute_at.h"

#include "schedule/steps/common.h"

namespace tessera::schedule {

Result<State> ComputeAt::apply(const State& state) const {
  TESSERA_TRY(s, require_compute(state, stage, "compute_at"));
  TESSERA_TRY(host, require_compute(state, at, "compute_at"));
  TESSERA_TRY(index, require_leaf(*host, axis));
  if (s->is_output) return refuse("stage '", stage, "' is an output of the program; it is computed as a whole, at root");
  if (s == host) return refuse("stage '", stage, "' cannot be computed inside itself");
  for (const Attach& a : attach_chain(state, *host)) {
    if (a.stage == stage) return refuse("'", at, "' is itself computed inside '", stage, "'");
  }
  if (state.consumers(*s).empty()) return refuse("no stage reads '", stage, "'");
  for (int i = 0; i <= index; ++i) {
    const Axis& a = *host->find_axis(host->leaves[static_cast<std::size_t>(i)]);
    if (a.loop == ForKind::kVector) {
      return refuse("loop '", a.name, "' of '", at, "' is a vector loop; a stage cannot be computed inside its lanes");
    }
    for (const Axis& own : s->axes) {
      if (a.loop == ForKind::kParallel && own.loop == ForKind::kParallel) {
        return refuse("loop '", own.name, "' of '", stage, "' would be parallel inside the parallel loop '", a.name, "' of '", at, "'");
      }
    }
  }
  State next = state;
  Stage& edit = next.edit(stage);
  edit.placement = Placement::kAt;
  edit.at = {at, axis};
  edit.store_at.reset();
  edit.rolling = false;
  return finish_step(std::move(next));
}

}  // namespace tessera::schedule
