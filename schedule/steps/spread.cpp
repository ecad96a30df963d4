#include "schedule/steps/spread.h"

#include "schedule/steps/bind.h"
#include "schedule/steps/common.h"
#include "schedule/steps/split.h"

namespace tessera::schedule {

Result<State> Spread::apply(const State& state) const {
  TESSERA_TRY(loop, require_plain_loop(state, stage, axis, "spread"));
  (void)loop;
  TESSERA_TRY(model, require_compute(state, like, "spread"));
  if (into.size() != 2) return refuse("spread makes two loops, not ", into.size());
  std::int64_t threads = 1;
  bool bound = false;
  for (const std::string& leaf : model->leaves) {
    const Axis& a = *model->find_axis(leaf);
    if (!ir::is_thread_level(a.loop)) continue;
    bound = true;
    threads *= a.loop == ForKind::kLane ? 32 : a.extent;
  }
  if (!bound) return refuse("stage '", like, "' has no loop over threads; bind one first");
  TESSERA_TRY(split, (Split{stage, axis, into, {threads}, ir::Tail::kPartition}.apply(state)));
  return Bind{stage, into[1], ForKind::kThreadX}.apply(split);
}

}  // namespace tessera::schedule
