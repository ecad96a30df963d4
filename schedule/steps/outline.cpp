#include "schedule/steps/outline.h"

#include "schedule/steps/common.h"

namespace tessera::schedule {

Result<State> Outline::apply(const State& state) const {
  TESSERA_TRY(s, require_compute(state, stage, "outline"));
  TESSERA_TRY(index, require_leaf(*s, axis));
  for (int i = 0; i <= index; ++i) {
    const Axis& a = *s->find_axis(s->leaves[static_cast<std::size_t>(i)]);
    if (a.loop == ForKind::kVector) return refuse("loop '", axis, "' of stage '", stage, "' runs in the lanes of vector loop '", a.name, "'");
    if (a.outlined) return refuse("loop '", a.name, "' of stage '", stage, "' is outlined already");
  }
  State next = state;
  next.edit(stage).find_axis(axis)->outlined = true;
  return finish_step(std::move(next));
}

}  // namespace tessera::schedule
