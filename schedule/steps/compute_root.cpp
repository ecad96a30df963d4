#include "schedule/steps/compute_root.h"

#include "schedule/steps/common.h"

namespace tessera::schedule {

Result<State> ComputeRoot::apply(const State& state) const {
  TESSERA_TRY(s, require_compute(state, stage, "compute_root"));
  State next = state;
  Stage& edit = next.edit(s->name);
  edit.placement = Placement::kRoot;
  edit.store_at.reset();
  edit.rolling = false;
  return finish_step(std::move(next));
}

}  // namespace tessera::schedule
