// A reduction along contiguous memory (row sums, norms, matrix times vector): vectors of partial
// results by rfactor, kept in registers, first added to one vector and then summed, row by row. Several
// rows share a pass, so that the operand they have in common is read once.
//
//   y[i] = sum(A[i, k], k)   ->   g[i, l, u] = sum(A[i, (k0*U + u)*L + l], k0)      U vectors of L partials
//                                 p[i, l] = sum(g[i, l, u], u);  y[i] = sum(p[i, l], l)
#include "search/rules/rules.h"

namespace tessera::search {

namespace {

using schedule::AxisKind;

struct Contiguous {
  std::string axis;                 // empty: there is none
  const ir::Load* read = nullptr;
};

/// The reduction axis along which some read moves by one element.
Contiguous contiguous(const schedule::Stage& s) {
  Contiguous best;
  for (const schedule::RootAxis& r : s.roots) {
    if (r.kind != AxisKind::kReduce) continue;
    for (const ir::Load* l : reads_of(s)) {
      if (stride_of(*l, r.coordinate) == 1) best = {r.axis, l};
    }
  }
  return best;
}

/// What one run reads of memory only once: its lines may be asked for ahead.
bool streams(const SketchBuilder& b, const schedule::Stage& s) {
  const ir::Load* read = contiguous(s).read;
  constexpr std::int64_t kCached = 512 << 10;
  const schedule::Stage& source = *b.state().producer(read->buffer.get());
  std::int64_t bytes = read->buffer->dtype.bytes();
  for (const std::int64_t n : ir::Buffer(read->buffer).extents()) bytes *= n;
  return bytes > kCached && (source.is_input() || source.placement == schedule::Placement::kRoot);
}

}  // namespace

Result<FactoredReduction> factor_reduction(SketchBuilder& b, const std::string& name) {
  const auto [axis, read] = contiguous(b.stage(name));
  if (axis.empty()) return refuse("stage '", name, "' reads nothing along contiguous memory");
  const std::int64_t extent = b.stage(name).find_axis(axis)->extent;
  const int lanes = lanes_for(b.task(), b.stage(name), extent);
  if (lanes < 2) return refuse("stage '", name, "' reduces too few elements for vectors");
  FactoredReduction out{name + ".part", name + ".groups", name + "." + axis + ".groups", axis + ".0", b.state().producer(read->buffer.get())->name};
  const std::string outer = axis + ".0", group = axis + ".g", lane = axis + ".l";
  std::vector<std::int64_t> counts;
  const std::int64_t vectors = (extent + lanes - 1) / lanes;
  for (std::int64_t n = 1; n <= std::min<std::int64_t>(16, vectors); ++n) counts.push_back(n);
  const schedule::Param groups = b.hole(out.hole, counts);
  TESSERA_TRY_DONE(b.step(schedule::Split{name, axis, {outer, group, lane}, {groups, lanes}, ir::Tail::kPartition}));
  TESSERA_TRY_DONE(b.step(schedule::Rfactor{name, lane, out.lanes}));
  TESSERA_TRY_DONE(b.step(schedule::Rfactor{out.lanes, group, out.groups}));
  // The axes of groups come after the lanes; in storage a vector is one run.
  std::vector<schedule::LayoutPiece> storage;
  for (const std::string& a : b.stage(out.groups).data_axes()) {
    if (a != lane) storage.push_back({a, 0});
  }
  storage.push_back({lane, 0});
  TESSERA_TRY_DONE(b.step(schedule::TransformLayout{out.groups, storage}));
  for (const std::string& stage : {out.lanes, out.groups}) {
    // The loops of the reduction, then rows and the vectors of partials innermost.
    std::vector<std::string> reduce, data;
    for (const std::string& leaf : b.stage(stage).leaves) {
      if (leaf == group || leaf == lane) continue;
      (b.stage(stage).find_axis(leaf)->kind == AxisKind::kReduce ? reduce : data).push_back(leaf);
    }
    std::vector<std::string> order = reduce;
    order.insert(order.end(), data.begin(), data.end());
    order.push_back(group);
    order.push_back(lane);
    TESSERA_TRY_DONE(b.step(schedule::Reorder{stage, order}));
    TESSERA_TRY_DONE(b.step(schedule::Unroll{stage, group}));
    TESSERA_TRY_DONE(b.step(schedule::Vectorize{stage, lane}));
  }
  if (vectors > 1) {
    const schedule::Param unroll = b.hole(name + ".unroll", powers_up_to(std::min<std::int64_t>(8, vectors)));
    TESSERA_TRY_DONE(b.step(schedule::Annotate{out.groups, outer, "unroll", unroll}));
  }
  b.finish(out.lanes);
  b.finish(out.groups);
  return out;
}

Status place_partials(SketchBuilder& b, const FactoredReduction& f, const std::string& stage, const std::string& loop) {
  for (const std::string& part : {f.lanes, f.groups}) {
    TESSERA_TRY_DONE(b.step(schedule::ComputeAt{part, stage, loop}));
    TESSERA_TRY_DONE(b.step(schedule::SetScope{part, ir::Scope::kRegister}));
  }
  return Done{};
}

Verdict vector_reduction_meets(const SketchBuilder& b, const std::string& name) {
  const schedule::Stage& s = b.stage(name);
  const bool rows = s.is_reduction() && s.placement == schedule::Placement::kRoot && !contiguous(s).axis.empty();
  return rows ? Verdict::kApplyAndSkipRest : Verdict::kPass;
}

namespace {

Result<SketchBuilder> reduced(const SketchBuilder& b, const std::string& name, bool ahead) {
  SketchBuilder next = b;
  const std::vector<std::string> data = b.stage(name).data_axes();
  const auto run = [&]() -> Status {
    TESSERA_TRY(parts, factor_reduction(next, name));
    const auto prefetch = [&]() -> Status {
      if (!ahead) return Done{};
      const schedule::Param distance = next.hole(name + ".ahead", {1, 2, 4, 8, 16, 32, 64});
      return next.step(schedule::Prefetch{parts.groups, parts.loop, parts.tensor, distance});
    };
    if (data.empty()) return prefetch();
    const std::string row = data.back(), block = row + ".0", inner = row + ".1";
    std::vector<std::int64_t> counts;
    for (std::int64_t n = 1; n <= std::min<std::int64_t>(16, b.stage(name).find_axis(row)->extent); ++n) counts.push_back(n);
    const schedule::Param rows = next.hole(name + ".rows", counts);
    const int registers = next.task().target.vector_registers;
    next.require({"register file", {{1, {name + ".rows", parts.hole}}, {1, {name + ".rows"}}}, 0, registers - 2});
    TESSERA_TRY_DONE(next.step(schedule::Split{name, row, {block, inner}, {rows}, ir::Tail::kPartition}));
    TESSERA_TRY_DONE(place_partials(next, parts, name, block));
    for (const std::string& part : {parts.lanes, parts.groups}) TESSERA_TRY_DONE(next.step(schedule::Unroll{part, row}));
    // At its place an iteration reads a few rows; the lines of 64 at most may be asked for.
    if (ahead) next.require({"lines asked for ahead", {{1, {name + ".rows", parts.hole}}}, 0, 64});
    TESSERA_TRY_DONE(prefetch());
    TESSERA_TRY_DONE(next.step(schedule::Unroll{name, inner}));
    TESSERA_TRY_DONE(next.step(schedule::Unroll{name, next.stage(name).leaves.back()}));
    std::vector<std::string> loops(data.begin(), data.end() - 1);
    loops.push_back(block);
    return parallelize(next, name, loops);
  };
  TESSERA_TRY_DONE(run());
  next.add_name(ahead ? "vector_reduction.ahead" : "vector_reduction");
  next.finish(name);
  return next;
}

}  // namespace

std::vector<SketchBuilder> vector_reduction_expand(const SketchBuilder& b, const std::string& name) {
  std::vector<SketchBuilder> out;
  for (const bool ahead : {false, true}) {
    // Rows that are chunks lie far apart.
    if (ahead && (!streams(b, b.stage(name)) || name.ends_with(".chunks"))) continue;
    auto made = reduced(b, name, ahead);
    if (made.ok()) out.push_back(std::move(*made));
  }
  return out;
}

}  // namespace tessera::search
