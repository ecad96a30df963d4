#include "schedule/steps/pad_box.h"

#include "schedule/steps/common.h"

namespace tessera::schedule {

Result<State> PadBox::apply(const State& state) const {
  TESSERA_TRY(s, require_compute(state, stage, "pad_box"));
  if (s->placement != Placement::kAt) return refuse("stage '", stage, "' is computed at root, where its box is the tensor; pad_box needs compute_at first");
  State next = state;
  next.edit(stage).padded = true;
  return finish_step(std::move(next));
}

}  // namespace tessera::schedule
