// A thread for each element, or for several neighbours of it, for every stage that no other rule takes:
//
//   f = all data axes in one:  f.b (block.x)  f.x (thread.x)  f.u (unrolled)  f.v (vector)
//
// A reduction is summed up in registers by the thread of its element; a scan steps inside its thread.
#include <algorithm>

#include "schedule/scan.h"
#include "search/rules/cuda/rules.h"

namespace tessera::search {

Verdict cuda_threads_meets(const SketchBuilder& b, const std::string& name) {
  return b.stage(name).placement == schedule::Placement::kRoot ? Verdict::kApplyAndSkipRest : Verdict::kPass;
}

std::vector<SketchBuilder> cuda_threads_expand(const SketchBuilder& b, const std::string& name) {
  SketchBuilder next = b;
  const bool reduces = b.stage(name).is_reduction(), single = b.stage(name).outputs.size() == 1;
  const std::vector<std::string> data = schedule::axes_beside_steps(b.stage(name));
  const auto run = [&]() -> Status {
    if (data.empty()) return Done{};  // one thread
    if (reduces && single) TESSERA_TRY_DONE(next.step(schedule::CacheWrite{name, name + ".acc"}));
    const std::vector<std::string> own = schedule::axes_beside_steps(next.stage(name));
    TESSERA_TRY(f, fused(next, name, own, "f"));
    const std::int64_t n = next.stage(name).find_axis(f)->extent;
    const bool plain = !reduces && !next.stage(name).is_scan();
    const int bytes = std::max(1, next.stage(name).outputs[0]->dtype.bytes());
    const schedule::Param x = next.hole(name + ".threads", powers_between(std::min<std::int64_t>(32, n), std::min<std::int64_t>(plain ? 1024 : 256, n)));
    std::vector<std::string> order{f + ".b", f + ".x"};
    if (plain) {
      const schedule::Param u = next.hole(name + ".unroll", powers_up_to(std::min<std::int64_t>(8, n)));
      const schedule::Param v = next.hole(name + ".vector", powers_up_to(std::min<std::int64_t>(16 / bytes, n)));
      TESSERA_TRY_DONE(next.step(schedule::Split{name, f, {f + ".b", f + ".u", f + ".x", f + ".v"}, {u, x, v}, ir::Tail::kPartition}));
      order.push_back(f + ".u");
      order.push_back(f + ".v");
    } else {
      TESSERA_TRY_DONE(next.step(schedule::Split{name, f, order, {x}, ir::Tail::kPartition}));
      for (const std::string& leaf : next.stage(name).leaves) {
        if (std::find(order.begin(), order.end(), leaf) == order.end()) order.push_back(leaf);
      }
    }
    TESSERA_TRY_DONE(next.step(schedule::Reorder{name, order}));
    TESSERA_TRY_DONE(next.step(schedule::Bind{name, f + ".b", ir::ForKind::kBlockX}));
    TESSERA_TRY_DONE(next.step(schedule::Bind{name, f + ".x", ir::ForKind::kThreadX}));
    if (plain) {
      TESSERA_TRY_DONE(next.step(schedule::Unroll{name, f + ".u"}));
      return next.step(schedule::Vectorize{name, f + ".v"});
    }
    if (!reduces || !single) return Done{};
    TESSERA_TRY_DONE(next.step(schedule::ComputeAt{name + ".acc", name, f + ".x"}));
    TESSERA_TRY_DONE(next.step(schedule::PadBox{name + ".acc"}));
    TESSERA_TRY_DONE(next.step(schedule::SetScope{name + ".acc", ir::Scope::kRegister}));
    next.finish(name + ".acc");
    return Done{};
  };
  if (!run().ok()) return {};
  next.add_name(name + ".threads");
  next.finish(name);
  return {std::move(next)};
}

}  // namespace tessera::search
