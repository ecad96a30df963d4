// An elementwise stage in a nest of its own: vectors along its last dimension, several of them in
// flight, the other loops on all threads.
#include "search/rules/rules.h"

namespace tessera::search {

Verdict elementwise_meets(const SketchBuilder& b, const std::string& name) {
  const schedule::Stage& s = b.stage(name);
  const bool nest = !s.is_reduction() && s.placement == schedule::Placement::kRoot && !s.data_axes().empty();
  return nest ? Verdict::kApplyAndSkipRest : Verdict::kPass;
}

std::vector<SketchBuilder> elementwise_expand(const SketchBuilder& b, const std::string& name) {
  SketchBuilder next = b;
  const std::vector<std::string> data = b.stage(name).data_axes();
  const std::string last = data.back();
  const std::int64_t extent = b.stage(name).find_axis(last)->extent;
  const int lanes = lanes_for(b.task(), b.stage(name), extent);
  const std::string outer = last + ".0", unroll = last + ".1", vec = last + ".2";
  const auto run = [&]() -> Status {
    const std::int64_t groups = std::max<std::int64_t>(1, extent / lanes);
    const schedule::Param u = next.hole(name + "." + unroll, powers_up_to(std::min<std::int64_t>(8, groups)));
    TESSERA_TRY_DONE(next.step(schedule::Split{name, last, {outer, unroll, vec}, {u, lanes}, ir::Tail::kPartition}));
    TESSERA_TRY_DONE(next.step(schedule::Unroll{name, unroll}));
    TESSERA_TRY_DONE(next.step(schedule::Vectorize{name, vec}));
    std::vector<std::string> loops(data.begin(), data.end() - 1);
    if (loops.empty()) loops.push_back(outer);
    return parallelize(next, name, loops);
  };
  if (!run().ok()) return {};
  if (!b.stage(name).is_output) next.add_name(name + ".root");
  next.finish(name);
  return {std::move(next)};
}

}  // namespace tessera::search
