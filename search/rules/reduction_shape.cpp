#include "search/rules/reduction_shape.h"

#include <algorithm>

#include "ir/rewrite.h"

namespace tessera::search {

using schedule::AxisKind;
using schedule::Param;
using schedule::RootAxis;
using schedule::Stage;

namespace {

bool depends(const ir::Load& l, const ir::Var& v) {
  for (const ir::Expr& i : l.indices) {
    if (ir::uses_var(i, v.id())) return true;
  }
  return false;
}

}  // namespace

ReductionShape shape_of(const Stage& s) {
  ReductionShape out;
  const std::vector<const ir::Load*> reads = reads_of(s);
  std::vector<RootAxis> data;
  for (const RootAxis& r : s.roots) (r.kind == AxisKind::kData ? data : out.reduce).push_back(r);
  out.column = data.back();
  std::vector<const ir::Load*> vectors;
  for (const ir::Load* l : reads) {
    if (depends(*l, out.column.coordinate)) vectors.push_back(l);
  }
  for (const RootAxis& r : data) {
    if (r.axis == out.column.axis) continue;
    const bool reused = std::any_of(vectors.begin(), vectors.end(), [&](const ir::Load* l) { return !depends(*l, r.coordinate); });
    const auto d = static_cast<std::size_t>(&r - data.data());
    (reused && s.region.bound[d] > 1 ? out.rows : out.others).push_back(r);
  }
  while (out.rows.size() > 2) {  // tile the innermost two
    out.others.push_back(out.rows.front());
    out.rows.erase(out.rows.begin());
  }
  // Read the vector operand in the order in which it lies: largest stride outermost.
  const ir::Load* lead = vectors.empty() ? (reads.empty() ? nullptr : reads[0]) : vectors.back();
  if (lead != nullptr) {
    std::stable_sort(out.reduce.begin(), out.reduce.end(), [&](const RootAxis& a, const RootAxis& b) {
      return stride_of(*lead, a.coordinate).value_or(0) > stride_of(*lead, b.coordinate).value_or(0);
    });
  }
  for (const ir::Load* l : vectors) {
    const bool reused = out.rows.empty() || !depends(*l, out.rows.back().coordinate);
    for (std::size_t d = 0; d < l->indices.size() && reused; ++d) {
      const auto* v = l->indices[d].as<ir::VarNode>();
      if (v == nullptr || v->id != out.column.coordinate.id()) continue;
      out.panel = l;
      out.panel_dim = static_cast<int>(d);
    }
  }
  return out;
}

std::string epilogue_of(const SketchBuilder& b, const Stage& s) {
  const auto readers = b.state().consumers(s);
  if (s.is_output || readers.size() != 1) return "";
  const Stage& w = *readers[0];
  if (w.is_reduction() || w.is_scan() || w.is_extern() || w.placement != schedule::Placement::kRoot || w.outputs.size() != 1 || b.done(w.name)) return "";
  std::vector<const RootAxis*> own;
  for (const RootAxis& r : w.roots) own.push_back(&r);
  for (const ir::Load* l : reads_of(w)) {
    if (b.state().producer(l->buffer.get()) != &s) continue;
    if (l->indices.size() != own.size()) return "";
    for (std::size_t d = 0; d < own.size(); ++d) {
      const auto* v = l->indices[d].as<ir::VarNode>();
      if (v == nullptr || v->id != own[d]->coordinate.id() || own[d]->extent != s.roots[d].extent) return "";
    }
  }
  return w.name;
}

bool reads_in_vectors(const Stage& s) {
  const ReductionShape shape = shape_of(s);
  for (const ir::Load* l : reads_of(s)) {
    const auto stride = stride_of(*l, shape.column.coordinate);
    if (!stride || (*stride != 0 && *stride != 1)) return false;
  }
  return true;
}

Status pack_panel(SketchBuilder& b, const std::string& stage, const std::string& width) {
  const ReductionShape shape = shape_of(b.stage(stage));
  if (shape.panel == nullptr) return refuse("no operand moves along the columns alone");
  const Stage* source = b.state().producer(shape.panel->buffer.get());
  const std::string into = source->name + ".pack";
  const std::vector<std::string> axes = source->data_axes();
  const std::string column = axes[static_cast<std::size_t>(shape.panel_dim)];
  std::vector<schedule::LayoutPiece> order{{column, 0}};
  for (const std::string& a : axes) {
    if (a != column) order.push_back({a, 0});
  }
  order.push_back({column, Param::open(width)});
  const int lanes = lanes_for(b.task(), b.stage(stage), shape.column.extent);
  b.preset(width, lanes);
  const bool constant = source->kind == dsl::OperationKind::kConstant;
  TESSERA_TRY_DONE(b.step(schedule::Pack{source->name, {stage}, into, order}));
  TESSERA_TRY_DONE(b.step(schedule::Split{into, column, {column + ".0", column + ".1"}, {lanes}, ir::Tail::kPartition}));
  std::vector<std::string> loops{column + ".0"};
  for (const std::string& a : axes) {
    if (a != column) loops.push_back(a);
  }
  loops.push_back(column + ".1");
  TESSERA_TRY_DONE(b.step(schedule::Reorder{into, loops}));
  TESSERA_TRY_DONE(b.step(schedule::Vectorize{into, column + ".1"}));
  if (!constant) TESSERA_TRY_DONE(parallelize(b, into, {column + ".0"}));
  b.finish(into);
  return Done{};
}

}  // namespace tessera::search
