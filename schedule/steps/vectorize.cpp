#include "schedule/steps/vectorize.h"

#include "schedule/steps/common.h"

namespace tessera::schedule {

Result<State> Vectorize::apply(const State& state) const {
  TESSERA_TRY(ref, require_plain_loop(state, stage, axis, "vectorize"));
  const Axis& a = *ref.stage->find_axis(axis);
  if (a.kind == AxisKind::kReduce) {
    return refuse("loop '", axis, "' of stage '", stage,
                  "' is a reduction: its iterations add to one element; rfactor it and vectorize the new data axis");
  }
  if (a.extent > 64) {
    return refuse("loop '", axis, "' of stage '", stage, "' runs ", a.extent, " times; a vector has at most 64 lanes, split it first");
  }
  if (const auto inside = computed_inside(state, *ref.stage, ref.index); !inside.empty()) {
    return refuse("stage '", inside[0], "' is computed inside loop '", axis, "' of stage '", stage,
                  "'; a vector loop cannot hold another stage");
  }
  for (const Axis& other : ref.stage->axes) {
    if (other.loop == ForKind::kVector) {
      return refuse("loop '", other.name, "' of stage '", stage, "' is already a vector loop; a stage has one");
    }
  }
  State next = state;
  next.edit(stage).find_axis(axis)->loop = ForKind::kVector;
  return finish_step(std::move(next));
}

}  // namespace tessera::schedule
