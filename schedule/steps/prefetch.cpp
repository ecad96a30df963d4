#include "schedule/steps/prefetch.h"

#include <algorithm>

#include "schedule/steps/common.h"

namespace tessera::schedule {

Result<State> Prefetch::apply(const State& state) const {
  TESSERA_TRY(s, require_compute(state, stage, "prefetch"));
  TESSERA_TRY(index, require_leaf(*s, axis));
  (void)index;
  TESSERA_TRY(source, require_stage(state, tensor));
  TESSERA_TRY(ahead, value_of(distance, "prefetch distance", 0, 1 << 20));
  if (locality < 0 || locality > 3) return refuse("prefetch locality is ", locality, "; it is 0 (nearest cache alone) to 3 (all)");
  if (source->outputs.size() > 1) return refuse("stage '", tensor, "' has several outputs; prefetch takes one tensor");
  if (write && tensor != stage) return refuse("stage '", stage, "' does not write '", tensor, "'; prefetch with write takes the stage itself");
  State next = state;
  std::vector<PrefetchMark>& marks = next.edit(stage).prefetches;
  std::erase_if(marks, [&](const PrefetchMark& m) { return m.axis == axis && m.tensor == tensor && m.write == write; });
  marks.push_back({axis, tensor, ahead, locality, write});
  return finish_step(std::move(next));
}

}  // namespace tessera::schedule
