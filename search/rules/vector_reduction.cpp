// A reduction along contiguous memory (row sums, norms, matrix times vector): vector partial results
// by rfactor, kept in registers, summed at the end of each row.
//
//   y[i] = sum(A[i, k], k)   ->   p[i, l] = sum(A[i, k0*L + l], k0);  y[i] = sum(p[i, l], l)
#include "search/rules/rules.h"

namespace tessera::search {

namespace {

using schedule::AxisKind;

/// The reduction axis along which some read moves by one element.
std::string contiguous_axis(const schedule::Stage& s) {
  std::string best;
  for (const schedule::RootAxis& r : s.roots) {
    if (r.kind != AxisKind::kReduce) continue;
    for (const ir::Load* l : reads_of(s)) {
      if (stride_of(*l, r.coordinate) == 1) best = r.axis;
    }
  }
  return best;
}

}  // namespace

Result<std::string> factor_reduction(SketchBuilder& b, const std::string& name) {
  const std::string axis = contiguous_axis(b.stage(name));
  if (axis.empty()) return refuse("stage '", name, "' reads nothing along contiguous memory");
  const std::int64_t extent = b.stage(name).find_axis(axis)->extent;
  const int lanes = lanes_for(b.task(), b.stage(name), extent);
  if (lanes < 2) return refuse("stage '", name, "' reduces too few elements for vectors");
  const std::string outer = axis + ".0", inner = axis + ".1", part = name + ".part";
  std::vector<std::int64_t> widths;
  for (std::int64_t w = lanes; w <= 8 * lanes && w <= std::max<std::int64_t>(lanes, extent); w *= 2) widths.push_back(w);
  const schedule::Param width = b.hole(name + "." + inner, widths);
  TESSERA_TRY_DONE(b.step(schedule::Split{name, axis, {outer, inner}, {width}, ir::Tail::kPartition}));
  TESSERA_TRY_DONE(b.step(schedule::Rfactor{name, inner, part}));
  const std::string group = inner + ".g", lane = inner + ".l";
  TESSERA_TRY_DONE(b.step(schedule::Split{part, inner, {group, lane}, {lanes}, ir::Tail::kPartition}));
  // Data loops, then the remaining reductions, then the vector of partials innermost.
  std::vector<std::string> order;
  for (const std::string& leaf : b.stage(part).leaves) {
    if (leaf != group && leaf != lane) order.push_back(leaf);
  }
  order.push_back(group);
  order.push_back(lane);
  TESSERA_TRY_DONE(b.step(schedule::Reorder{part, order}));
  TESSERA_TRY_DONE(b.step(schedule::Unroll{part, group}));
  TESSERA_TRY_DONE(b.step(schedule::Vectorize{part, lane}));
  b.finish(part);
  return part;
}

Verdict vector_reduction_meets(const SketchBuilder& b, const std::string& name) {
  const schedule::Stage& s = b.stage(name);
  const bool rows = s.is_reduction() && s.placement == schedule::Placement::kRoot && !contiguous_axis(s).empty();
  return rows ? Verdict::kApplyAndSkipRest : Verdict::kPass;
}

std::vector<SketchBuilder> vector_reduction_expand(const SketchBuilder& b, const std::string& name) {
  SketchBuilder next = b;
  const std::vector<std::string> data = b.stage(name).data_axes();
  const auto run = [&]() -> Status {
    TESSERA_TRY(part, factor_reduction(next, name));
    if (data.empty()) return Done{};
    TESSERA_TRY_DONE(next.step(schedule::ComputeAt{part, name, data.back()}));
    TESSERA_TRY_DONE(next.step(schedule::SetScope{part, ir::Scope::kRegister}));
    TESSERA_TRY_DONE(next.step(schedule::Unroll{name, next.stage(name).leaves.back()}));
    if (next.task().threads == 1) return Done{};
    // The partials hang on the last data loop: make the loops around it parallel.
    const std::vector<std::string> outer(data.begin(), data.end() - 1);
    return outer.empty() ? next.step(schedule::Parallel{name, data.back()}) : parallelize(next, name, outer);
  };
  if (!run().ok()) return {};
  next.add_name("vector_reduction");
  next.finish(name);
  return {std::move(next)};
}

}  // namespace tessera::search
