#include "ir/rewrite.h"
#include "schedule/algorithms/rewrites.h"

namespace tessera::schedule {

namespace {

/// Axes of a stage that are flattened into one.
struct Group {
  std::vector<const RootAxis*> axes;

  std::vector<std::int64_t> extents() const {
    std::vector<std::int64_t> out;
    for (const RootAxis* r : axes) out.push_back(r->extent);
    return out;
  }
  std::int64_t size() const {
    std::int64_t n = 1;
    for (const RootAxis* r : axes) n *= r->extent;
    return n;
  }
  Expr flat() const {
    Exprs at;
    for (const RootAxis* r : axes) at.push_back(r->coordinate);
    return flatten(at, extents());
  }
  /// Each axis in terms of the flat coordinate.
  void spread(const Expr& coordinate, ir::VarMap& out) const {
    const Exprs at = unflatten(coordinate, extents());
    for (std::size_t i = 0; i < axes.size(); ++i) out[axes[i]->coordinate.id()] = at[i];
  }
};

/// An index that adds a coordinate of the output and one of the reduction slides a window.
bool slides(const Stage& s, const Factor& f) {
  for (const Expr& index : f.load->indices) {
    bool data = false, reduce = false;
    for (const RootAxis& r : s.roots) (r.kind == AxisKind::kData ? data : reduce) |= ir::uses_var(index, r.coordinate.id());
    if (data && reduce) return true;
  }
  return false;
}

struct Groups {
  Group image, filter, taps;
};

Result<Groups> group_axes(const Stage& s, const Factor& image, const Factor& filter) {
  Groups g;
  for (const RootAxis& r : s.roots) {
    if (r.kind == AxisKind::kReduce) {
      g.taps.axes.push_back(&r);
      continue;
    }
    const bool x = image.uses(r), w = filter.uses(r);
    if (x && w) {
      return refuse("axis '", r.axis, "' of stage '", s.name, "' picks from both '", image.load->buffer->name, "' and '",
                    filter.load->buffer->name, "' (groups); im2col needs every output axis in one of them alone");
    }
    (w ? g.filter : g.image).axes.push_back(&r);
  }
  if (g.filter.axes.empty()) {
    return refuse("no axis of stage '", s.name, "' picks from '", filter.load->buffer->name, "' alone; a matrix product needs one");
  }
  return g;
}

/// One factor as a matrix: [k, outer] when `taps_first`, else [outer, k].
Stage as_matrix(const std::string& name, const Factor& f, const Group& outer, const std::string& outer_name, const Group& taps,
                bool taps_first) {
  StageMaker maker(name);
  Var m, k;
  if (taps_first) k = maker.data("k", taps.size());
  m = maker.data(outer_name, outer.size());
  if (!taps_first) k = maker.data("k", taps.size());
  ir::VarMap at;
  outer.spread(m, at);
  taps.spread(k, at);
  Exprs index;
  for (const Expr& e : f.load->indices) index.push_back(ir::substitute(e, at));
  return maker.finish(Buffer(f.load->buffer).load(std::move(index)));
}

/// The factor's casts around a read of something else.
Expr recast(const Expr& value, const Expr& read) {
  return ir::rewrite(value, [&](const ir::Load&, const Expr&, const ir::ExprFn&) { return read; });
}

}  // namespace

Result<State> im2col(const State& state, const Stage& s, const AlgorithmValues&) {
  TESSERA_TRY(product, match_product(s));
  const bool a = slides(s, product.a), b = slides(s, product.b);
  if (a == b) {
    return refuse("stage '", s.name, "' slides ", a ? "windows over both of its operands" : "no window over an operand: it is a matrix product already",
                  "; im2col takes a convolution");
  }
  const Factor &image = a ? product.a : product.b, &filter = a ? product.b : product.a;
  TESSERA_TRY(g, group_axes(s, image, filter));
  // The group that holds the last axis of the output is the inner one of every matrix, so that its
  // elements are neighbours there as they are in the output.
  const RootAxis* last = nullptr;
  for (const RootAxis& r : s.roots) last = r.kind == AxisKind::kData ? &r : last;
  const bool image_inner = image.uses(*last);
  Stage patches = as_matrix(s.name + ".patches", image, g.image, "m", g.taps, image_inner);
  Stage weights = as_matrix(s.name + ".weights", filter, g.filter, "n", g.taps, !image_inner);

  StageMaker maker(s.name + ".product");
  const Var outer = maker.data(image_inner ? "n" : "m", image_inner ? g.filter.size() : g.image.size());
  const Var inner = maker.data(image_inner ? "m" : "n", image_inner ? g.image.size() : g.filter.size());
  const Var k = maker.reduce("k", g.taps.size());
  const Expr x = patches.outputs[0].load(image_inner ? Exprs{k, inner} : Exprs{outer, k});
  const Expr w = weights.outputs[0].load(image_inner ? Exprs{outer, k} : Exprs{k, inner});
  Stage matmul = maker.finish(recast(image.value, x) * recast(filter.value, w), s.reduce()->combiner);

  const Expr m = g.image.flat(), n = g.filter.flat();
  const Expr body = matmul.outputs[0].load(image_inner ? Exprs{n, m} : Exprs{m, n});
  return with_stages_before(state, s, {std::move(patches), std::move(weights), std::move(matmul)}, body);
}

}  // namespace tessera::schedule
