#include "schedule/steps/store_at.h"

#include "schedule/steps/common.h"

namespace tessera::schedule {

Result<State> StoreAt::apply(const State& state) const {
  TESSERA_TRY(s, require_compute(state, stage, "store_at"));
  if (s->placement != Placement::kAt) return refuse("stage '", stage, "' is computed at root; compute_at comes before store_at");
  if (s->rolling) return refuse("stage '", stage, "' rolls along loop '", s->at.axis, "' and is kept around it");
  TESSERA_TRY(host, require_compute(state, at, "store_at"));
  TESSERA_TRY(index, require_leaf(*host, axis));
  // Walk from the place of computation outwards to the wanted loop; every loop passed is shared.
  for (const Attach& a : attach_chain(state, *s)) {
    const Stage& level = *state.find(a.stage);
    const int inner = level.leaf_index(a.axis);
    const int stop = level.name == at ? index : -1;
    for (int i = inner; i > stop; --i) {
      const Axis& passed = *level.find_axis(level.leaves[static_cast<std::size_t>(i)]);
      if (passed.loop == ForKind::kParallel) {
        return refuse("stage '", stage, "' would be shared by the iterations of the parallel loop '", passed.name,
                      "' of '", level.name, "'; store it inside that loop");
      }
    }
    if (level.name != at) continue;
    if (index > inner) break;
    State next = state;
    next.edit(stage).store_at = Attach{at, axis};
    return finish_step(std::move(next));
  }
  return refuse("loop '", axis, "' of '", at, "' does not enclose the place where '", stage, "' is computed");
}

}  // namespace tessera::schedule
