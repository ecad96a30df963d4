// An elementwise stage in a nest of its own: vectors along its last dimension, several of them in
// flight, blocks of rows when some operand lies along another dimension (a transpose), the outer loops
// on all threads.
//
//   for others, r.0, c.0: for r.1 (rows), c.u (several, unrolled): vector c.v
#include <algorithm>

#include "search/rules/rules.h"

namespace tessera::search {

namespace {

/// The data axis other than the last along which an operand is contiguous; empty when there is none.
std::string crossing_axis(const schedule::Stage& s) {
  for (std::size_t d = 0; d + 1 < s.roots.size(); ++d) {
    for (const ir::Load* l : reads_of(s)) {
      const auto along = stride_of(*l, s.roots[d].coordinate), last = stride_of(*l, s.roots.back().coordinate);
      if (s.roots[d].extent > 1 && along == 1 && last != 0 && last != 1) return s.roots[d].axis;
    }
  }
  return "";
}

}  // namespace

Verdict elementwise_meets(const SketchBuilder& b, const std::string& name) {
  const schedule::Stage& s = b.stage(name);
  const bool nest = !s.is_reduction() && !s.is_scan() && s.placement == schedule::Placement::kRoot && !s.data_axes().empty();
  return nest ? Verdict::kApplyAndSkipRest : Verdict::kPass;
}

std::vector<SketchBuilder> elementwise_expand(const SketchBuilder& b, const std::string& name) {
  SketchBuilder next = b;
  const std::vector<std::string> data = b.stage(name).data_axes();
  const std::string last = data.back(), crossing = crossing_axis(b.stage(name));
  const std::int64_t extent = b.stage(name).find_axis(last)->extent;
  const int lanes = lanes_for(b.task(), b.stage(name), extent);
  const std::string outer = last + ".0", unroll = last + ".1", vec = last + ".2";
  const auto run = [&]() -> Status {
    const std::int64_t groups = std::max<std::int64_t>(1, extent / lanes);
    const schedule::Param u = next.hole(name + "." + unroll, powers_up_to(std::min<std::int64_t>(8, groups)));
    TESSERA_TRY_DONE(next.step(schedule::Split{name, last, {outer, unroll, vec}, {u, lanes}, ir::Tail::kPartition}));
    std::vector<std::string> loops(data.begin(), data.end() - 1);
    if (!crossing.empty()) {
      const std::int64_t rows = b.stage(name).find_axis(crossing)->extent;
      const schedule::Param block = next.hole(name + "." + crossing + ".rows", powers_up_to(std::min<std::int64_t>(64, rows)));
      TESSERA_TRY_DONE(next.step(schedule::Split{name, crossing, {crossing + ".0", crossing + ".1"}, {block}, ir::Tail::kPartition}));
      std::replace(loops.begin(), loops.end(), crossing, crossing + ".0");
      std::vector<std::string> order = loops;
      for (const std::string& l : {outer, crossing + ".1", unroll, vec}) order.push_back(l);
      TESSERA_TRY_DONE(next.step(schedule::Reorder{name, order}));
    }
    TESSERA_TRY_DONE(next.step(schedule::Unroll{name, unroll}));
    TESSERA_TRY_DONE(next.step(schedule::Vectorize{name, vec}));
    if (loops.empty()) loops.push_back(outer);
    return parallelize(next, name, loops);
  };
  if (!run().ok()) return {};
  if (!b.stage(name).is_output) next.add_name(name + ".root");
  next.finish(name);
  return {std::move(next)};
}

}  // namespace tessera::search
