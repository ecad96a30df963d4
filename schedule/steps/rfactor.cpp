#include "schedule/steps/rfactor.h"

#include <algorithm>

#include "ir/rewrite.h"
#include "ir/simplify.h"
#include "schedule/geometry.h"
#include "schedule/scan.h"
#include "schedule/steps/common.h"

namespace tessera::schedule {

namespace {

Status check(const State& state, const Stage& s, const std::string& axis) {
  if (s.find_axis(axis)->kind != AxisKind::kReduce) {
    return refuse("loop '", axis, "' of stage '", s.name, "' is a data loop; rfactor takes a reduction loop");
  }
  for (const std::string& leaf : s.leaves) {
    if (s.find_axis(leaf)->kind != AxisKind::kReduce) continue;
    for (std::size_t i = 0; i < state.size(); ++i) {
      const Stage& q = state.stage(i);
      if (q.placement == Placement::kAt && q.at == Attach{s.name, leaf}) {
        return refuse("stage '", q.name, "' is computed at reduction loop '", leaf, "' of '", s.name, "'; rfactor comes before");
      }
    }
    const Axis& a = *s.find_axis(leaf);
    if (a.loop != ForKind::kSerial || a.outlined) {
      return refuse("reduction loop '", leaf, "' of stage '", s.name, "' is already marked; rfactor comes before");
    }
  }
  return Done{};
}

/// A root axis with a plain loop of its own.
void add_root(Stage& s, const std::string& name, const Var& coordinate, AxisKind kind, std::int64_t extent) {
  s.roots.push_back({name, coordinate, kind, extent, false});
  s.axes.push_back({name, Var::fresh(name), kind, extent, ForKind::kSerial, false, {}});
  s.leaves.push_back(name);
}

/// Coordinates of the old reduction in terms of the loops that stay loops; `missing` collects the
/// conditions under which a combination of loop values is outside the old range.
ir::VarMap reduce_values(const Stage& s, const ir::VarMap& leaf_vars, Exprs& inside, ir::Bounds& bounds) {
  Stage rectangular = s;
  for (const std::string& leaf : s.leaves) {
    if (s.find_axis(leaf)->kind == AxisKind::kReduce) make_rectangular(rectangular, leaf);
  }
  for (Relation& r : rectangular.relations) {
    const bool reduce = rectangular.find_axis(r.whole)->kind == AxisKind::kReduce;
    if (reduce && r.kind == Relation::Kind::kSplit) r.guarded = true;
  }
  ir::VarMap out;
  for (const RootAxis& r : rectangular.roots) {
    if (r.kind != AxisKind::kReduce) continue;
    const Expr v = ir::simplify(ir::substitute(axis_value(rectangular, r.axis), leaf_vars), bounds);
    out[r.coordinate.id()] = v;
  }
  for (const Relation& r : rectangular.relations) {
    if (rectangular.find_axis(r.whole)->kind != AxisKind::kReduce || r.kind != Relation::Kind::kSplit) continue;
    const Expr v = ir::substitute(axis_value(rectangular, r.whole), leaf_vars);
    const Expr c = ir::simplify(v < axis_extent(rectangular, r.whole), bounds);
    if (!is_true(c)) inside.push_back(c);
  }
  return out;
}

}  // namespace

Result<State> Rfactor::apply(const State& state) const {
  TESSERA_TRY(s, require_compute(state, stage, "rfactor"));
  TESSERA_TRY_DONE(require_new_stage(state, into));
  TESSERA_TRY(leaf, require_leaf(*s, axis));
  (void)leaf;
  TESSERA_TRY_DONE(check(state, *s, axis));
  const ir::Reduce& old = *s->reduce();

  // The partial stage: data axes, the factored loop as a data axis, the other loops as reductions.
  Stage part;
  part.name = into;
  ir::VarMap data, leaf_vars;
  Exprs shape;
  for (const RootAxis& r : s->roots) {
    if (r.kind != AxisKind::kData) continue;
    const Var c = Var::fresh(r.axis);
    add_root(part, r.axis, c, AxisKind::kData, r.extent);
    data[r.coordinate.id()] = c;
    shape.push_back(ir::int_imm(r.extent));
  }
  const std::int64_t n = s->find_axis(axis)->extent;
  const Var lane = Var::fresh(axis);
  TESSERA_TRY_DONE(require_new_axis(part, axis));
  add_root(part, axis, lane, AxisKind::kData, n);
  leaf_vars[s->find_axis(axis)->var.id()] = lane;
  shape.push_back(ir::int_imm(n));
  ir::Bounds bounds;
  bounds[lane.id()] = {0, n - 1};
  std::vector<ir::ReduceAxis> rest;
  for (const std::string& name : s->leaves) {
    const Axis& a = *s->find_axis(name);
    if (a.kind != AxisKind::kReduce || name == axis) continue;
    const Var c = Var::fresh(name);
    TESSERA_TRY_DONE(require_new_axis(part, name));
    add_root(part, name, c, AxisKind::kReduce, a.extent);
    leaf_vars[a.var.id()] = c;
    bounds[c.id()] = {0, a.extent - 1};
    rest.push_back({c, ir::int_imm(a.extent)});
  }
  Exprs inside;
  ir::VarMap at = reduce_values(*s, leaf_vars, inside, bounds);
  at.insert(data.begin(), data.end());
  Exprs sources;
  for (std::size_t v = 0; v < old.sources.size(); ++v) {
    Expr source = ir::substitute(old.sources[v], at);
    for (const Expr& c : inside) source = ir::if_then_else(c, source, old.combiner->identity[v]);
    sources.push_back(source);
  }
  for (std::size_t v = 0; v < sources.size(); ++v) {
    const std::string name = sources.size() == 1 ? into : into + ".v" + std::to_string(v);
    part.outputs.push_back(ir::Buffer::fresh(name, sources[v].type(), shape));
    part.body.push_back(rest.empty() ? sources[v]
                                     : ir::make<ir::Reduce>(old.combiner, sources, rest, static_cast<int>(v)));
  }

  State next = state;
  Stage& edit = next.edit(stage);
  // The stage itself keeps its data loops and reduces over the partial results.
  std::erase_if(edit.relations, [&](const Relation& r) { return s->find_axis(r.whole)->kind == AxisKind::kReduce; });
  std::erase_if(edit.roots, [](const RootAxis& r) { return r.kind == AxisKind::kReduce; });
  std::erase_if(edit.leaves, [&](const std::string& l) { return l != axis && s->find_axis(l)->kind == AxisKind::kReduce; });
  std::erase_if(edit.axes, [&](const Axis& a) { return a.name != axis && a.kind == AxisKind::kReduce; });
  edit.init_axis.clear();
  const Var again = Var::fresh(axis);
  edit.roots.push_back({axis, again, AxisKind::kReduce, n, false});
  Exprs index;
  for (const RootAxis& r : edit.roots) index.push_back(r.coordinate);
  Exprs partial;
  for (const Buffer& b : part.outputs) partial.push_back(b.load(index));
  for (Expr& body : edit.body) {
    body = ir::make<ir::Reduce>(old.combiner, partial, std::vector<ir::ReduceAxis>{{again, ir::int_imm(n)}},
                                body.as<ir::Reduce>()->index);
  }
  next.insert(static_cast<std::size_t>(state.index_of(stage)), std::move(part));
  place_in_step(next, into, *s);
  return finish_step(std::move(next));
}

}  // namespace tessera::schedule
