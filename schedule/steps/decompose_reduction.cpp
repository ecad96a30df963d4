#include "schedule/steps/decompose_reduction.h"

#include "schedule/steps/common.h"

namespace tessera::schedule {

Result<State> DecomposeReduction::apply(const State& state) const {
  TESSERA_TRY(s, require_compute(state, stage, "decompose_reduction"));
  if (!s->is_reduction()) return refuse("stage '", stage, "' does not reduce");
  TESSERA_TRY(index, require_leaf(*s, axis));
  for (int i = 0; i < index; ++i) {
    const std::string& leaf = s->leaves[static_cast<std::size_t>(i)];
    if (s->find_axis(leaf)->kind == AxisKind::kReduce) {
      return refuse("loop '", axis, "' of stage '", stage, "' runs inside reduction loop '", leaf,
                    "'; an initialisation there would erase partial sums");
    }
  }
  State next = state;
  next.edit(stage).init_axis = axis;
  return finish_step(std::move(next));
}

}  // namespace tessera::schedule
