#include "schedule/geometry.h"

#include <algorithm>

#include "ir/analysis/affine.h"
#include "ir/rewrite.h"
#include "schedule/scan.h"

namespace tessera::schedule {

namespace {

using ir::Bounds;
using ir::Interval;
using ir::int_imm;
using ir::simplify;

const RootAxis* root_of(const Stage& s, const std::string& axis) {
  for (const RootAxis& r : s.roots) {
    if (r.axis == axis) return &r;
  }
  return nullptr;
}

std::size_t data_index(const Stage& s, const RootAxis& r) {
  return static_cast<std::size_t>(&r - s.roots.data());
}

const Relation* made_by(const Stage& s, const std::string& axis) {
  for (const Relation& r : s.relations) {
    const bool product = r.kind == Relation::Kind::kSplit ? (r.outer == axis || r.inner == axis) : r.whole == axis;
    if (product) return &r;
  }
  return nullptr;
}

const Relation* used_by(const Stage& s, const std::string& axis) {
  for (const Relation& r : s.relations) {
    const bool source = r.kind == Relation::Kind::kSplit ? r.whole == axis : (r.outer == axis || r.inner == axis);
    if (source) return &r;
  }
  return nullptr;
}

/// The largest trip count as a number.
std::int64_t bound_of(const Stage& s, const std::string& axis) { return s.find_axis(axis)->extent; }

/// Values an axis takes while some leaves hold still: [lo, hi], `whole` when nothing restricts it.
struct Span {
  Expr lo, hi;
  bool whole = false;
  bool point = false;
};

class Spans {
 public:
  Spans(const Stage& s, const FixedLoops& fixed) : s_(s), fixed_(fixed) {}

  Span of(const std::string& axis) const {
    const Relation* r = used_by(s_, axis);
    if (r == nullptr) return leaf(axis);
    if (r->kind == Relation::Kind::kSplit) return split(*r, axis);
    return fuse(*r, axis);
  }

 private:
  /// Trip count of an axis where it depends on nothing but loops that hold still, else its bound.
  Expr extent(const std::string& axis) const {
    const Expr e = axis_extent(s_, axis);
    for (const std::string& leaf : s_.leaves) {
      const bool moves = fixed_.count({s_.name, leaf}) == 0;
      if (moves && ir::uses_var(e, s_.find_axis(leaf)->var.id())) return int_imm(bound_of(s_, axis));
    }
    return e;
  }

  Span full(const std::string& axis) const { return {int_imm(0), extent(axis) - 1, true, false}; }

  Span leaf(const std::string& axis) const {
    const Expr v = s_.find_axis(axis)->var;
    if (fixed_.count({s_.name, axis}) != 0) return {v, v, false, true};
    return full(axis);
  }

  Span split(const Relation& r, const std::string& axis) const {
    const Span o = of(r.outer), i = of(r.inner);
    if (o.whole && i.whole) return full(axis);
    const Expr f = int_imm(r.factor);
    Span out;
    out.point = o.point && i.point;
    out.lo = simplify(o.lo * f + i.lo);
    Expr hi = o.hi * f + i.hi;
    if (o.point && i.whole && !r.guarded) hi = o.lo * f + extent(r.inner) - 1;
    if (!out.point) hi = ir::min(hi, extent(axis) - 1);
    out.hi = out.point ? out.lo : hi;
    return out;
  }

  Span fuse(const Relation& r, const std::string& axis) const {
    const Span p = of(r.whole);
    if (p.whole) return full(axis);
    const Expr n = int_imm(bound_of(s_, r.inner));
    if (axis == r.outer) return {ir::floordiv(p.lo, n), ir::floordiv(p.hi, n), false, p.point};
    if (p.point) return {ir::floormod(p.lo, n), ir::floormod(p.lo, n), false, true};
    // A run inside one row of the inner axis keeps its place; any other may wrap around.
    const Expr len = simplify(p.hi - p.lo);
    const Expr row = simplify(ir::floordiv(p.hi, n) - ir::floordiv(p.lo, n));
    if (is_zero(row)) return {ir::floormod(p.lo, n), simplify(ir::floormod(p.lo, n) + len), false, false};
    return full(axis);
  }

  const Stage& s_;
  const FixedLoops& fixed_;
};

using SpanMap = std::map<ir::VarId, Span>;

/// Range of an index expression as expressions; false when only the whole dimension is safe.
class SymbolicRange {
 public:
  explicit SymbolicRange(const SpanMap& spans) : spans_(spans) {}

  bool of(const Expr& e, Expr& lo, Expr& hi) const {
    const ir::AffineSum s = ir::affine_sum(e);
    lo = hi = int_imm(s.constant);
    for (const ir::Term& t : s.terms) {
      Expr a, b;
      if (!atom(t.atom, a, b)) return false;
      const Expr k = int_imm(t.coefficient);
      lo = lo + (t.coefficient > 0 ? a : b) * k;
      hi = hi + (t.coefficient > 0 ? b : a) * k;
    }
    return true;
  }

 private:
  bool atom(const Expr& e, Expr& lo, Expr& hi) const {
    if (const auto* v = e.as<ir::VarNode>()) {
      const auto it = spans_.find(v->id);
      if (it == spans_.end()) return false;
      lo = it->second.lo;
      hi = it->second.hi;
      return true;
    }
    const ir::Binary* n = ir::as_binary(e);
    std::int64_t c = 0;
    Expr a, b, x, y;
    if (n == nullptr || n->a.type() != ir::i64 || !of(n->a, a, b)) return false;
    switch (e->kind) {
      case ir::ExprKind::kFloorDiv:
        if (!is_const_int(n->b, &c) || c <= 0) return false;
        lo = ir::floordiv(a, n->b);
        hi = ir::floordiv(b, n->b);
        return true;
      case ir::ExprKind::kFloorMod:
        if (!is_const_int(n->b, &c) || c <= 0) return false;
        if (is_zero(simplify(ir::floordiv(b, n->b) - ir::floordiv(a, n->b)))) {
          lo = ir::floormod(a, n->b);
          hi = lo + (b - a);
        } else {
          lo = int_imm(0);
          hi = int_imm(c - 1);
        }
        return true;
      case ir::ExprKind::kMin:
      case ir::ExprKind::kMax:
        if (!of(n->b, x, y)) return false;
        lo = e->kind == ir::ExprKind::kMin ? ir::min(a, x) : ir::max(a, x);
        hi = e->kind == ir::ExprKind::kMin ? ir::min(b, y) : ir::max(b, y);
        return true;
      default: return false;
    }
  }

  const SpanMap& spans_;
};

bool on_chain(const Stage& s, const FixedLoops& fixed) {
  const auto it = fixed.lower_bound({s.name, ""});
  return it != fixed.end() && it->first == s.name;
}

/// By dimension: whether what readers need of `q` at its place is as large in every iteration, were it not
/// for the end of the tensor.
std::vector<bool> always_whole(const State& state, const Stage& q);

/// Where the coordinates of a consumer range while `fixed` holds still.
Result<SpanMap> coordinate_spans(const State& state, const Stage& q, const FixedLoops& fixed) {
  SpanMap out;
  const bool chain = on_chain(q, fixed);
  Box box = q.region;
  // A reader that is computed at the same place needs there what its region says already; of a rolling one
  // that is what it computes anew, and elsewhere its whole box counts.
  const bool here = q.placement == Placement::kAt && (q.rolling || !q.store_at) && fixed_at(state, q.at) == fixed;
  if (!chain && q.placement == Placement::kAt && !here) {
    TESSERA_TRY(inner, required_region(state, q, fixed));
    box = std::move(inner);
    // A padded box begins inside of what is needed, and where that is less than the box it ends past it.
    const std::vector<bool> whole = q.padded ? always_whole(state, q) : std::vector<bool>();
    for (std::size_t d = 0; d < whole.size(); ++d) {
      if (!whole[d]) box.extent[d] = box.extent[d] + q.region.bound[d];
    }
  }
  const Spans spans(q, fixed);
  for (std::size_t d = 0; d < q.roots.size(); ++d) {
    const RootAxis& r = q.roots[d];
    if (!chain) {
      const bool data = r.kind == AxisKind::kData;
      const Expr lo = data ? box.lo[d] : int_imm(0);
      const Expr n = data ? box.extent[d] : int_imm(r.extent);
      out[r.coordinate.id()] = {lo, lo + n - 1, false, false};
      continue;
    }
    Span local = spans.of(r.axis);
    if (r.kind == AxisKind::kData) {
      local.lo = q.region.lo[d] + local.lo;
      local.hi = q.region.lo[d] + local.hi;
    }
    out[r.coordinate.id()] = local;
  }
  return out;
}

}  // namespace

Expr axis_extent(const Stage& s, const std::string& axis) {
  if (const RootAxis* r = root_of(s, axis)) {
    if (r->kind == AxisKind::kReduce) return int_imm(r->extent);
    const std::size_t d = data_index(s, *r);
    return r->guarded ? int_imm(s.region.bound[d]) : s.region.extent[d];
  }
  const Relation* r = made_by(s, axis);
  TESSERA_CHECK(r != nullptr) << "axis " << axis << " of stage " << s.name << " has no origin";
  if (r->kind == Relation::Kind::kFuse) {
    return simplify(axis_extent(s, r->outer) * int_imm(bound_of(s, r->inner)));
  }
  const Expr whole = axis_extent(s, r->whole);
  const Expr f = int_imm(r->factor);
  if (axis == r->outer) return simplify(ir::ceildiv(whole, f));
  if (r->guarded) return f;
  return simplify(ir::min(f, whole - f * axis_value(s, r->outer)),
                  Bounds{});
}

Expr axis_value(const Stage& s, const std::string& axis) {
  const Relation* r = used_by(s, axis);
  if (r == nullptr) return s.find_axis(axis)->var;
  if (r->kind == Relation::Kind::kSplit) {
    return simplify(axis_value(s, r->outer) * int_imm(r->factor) + axis_value(s, r->inner));
  }
  const Expr whole = axis_value(s, r->whole);
  const Expr n = int_imm(bound_of(s, r->inner));
  return axis == r->outer ? ir::floordiv(whole, n) : ir::floormod(whole, n);
}

ir::VarMap coordinate_values(const Stage& s) {
  ir::VarMap out;
  for (std::size_t d = 0; d < s.roots.size(); ++d) {
    const RootAxis& r = s.roots[d];
    Expr v = axis_value(s, r.axis);
    if (r.kind == AxisKind::kData) v = s.region.lo[d] + v;
    out[r.coordinate.id()] = v;
  }
  return out;
}

Guards guards(const Stage& s) {
  Guards out;
  for (std::size_t d = 0; d < s.roots.size(); ++d) {
    const RootAxis& r = s.roots[d];
    if (r.guarded && r.kind == AxisKind::kData) out.statement.push_back(axis_value(s, r.axis) < s.region.extent[d]);
  }
  for (const Relation& r : s.relations) {
    if (r.kind != Relation::Kind::kSplit || !r.guarded) continue;
    Exprs& conditions = r.tail == ir::Tail::kPad && !s.is_output ? out.value : out.statement;
    conditions.push_back(axis_value(s, r.whole) < axis_extent(s, r.whole));
  }
  return out;
}

Exprs padding_guards(const Stage& s) {
  Exprs out;
  if (!s.padded) return out;
  const ir::VarMap values = coordinate_values(s);
  for (const RootAxis& r : s.roots) {
    if (r.kind == AxisKind::kData) out.push_back(values.at(r.coordinate.id()) < int_imm(r.extent));
  }
  return out;
}

std::size_t init_position(const Stage& s) {
  if (!s.init_axis.empty()) return static_cast<std::size_t>(s.leaf_index(s.init_axis));
  for (std::size_t i = 0; i < s.leaves.size(); ++i) {
    if (s.find_axis(s.leaves[i])->kind == AxisKind::kReduce) return i;
  }
  return s.leaves.size();
}

Bounds loop_bounds(const State& state) {
  Bounds out;
  for (std::size_t i = 0; i < state.size(); ++i) {
    for (const Axis& a : state.stage(i).axes) out[a.var.id()] = {0, std::max<std::int64_t>(a.extent, 1) - 1};
  }
  return out;
}

FixedLoops fixed_at(const State& state, const Attach& place) {
  FixedLoops out;
  const Stage* s = state.find(place.stage);
  std::string last = place.axis;
  while (s != nullptr) {
    for (const std::string& leaf : s->leaves) {
      out.insert({s->name, leaf});
      if (leaf == last) break;
    }
    if (s->placement != Placement::kAt) break;
    last = s->at.axis;
    s = state.find(s->at.stage);
  }
  return out;
}

namespace {

/// First and last index a dimension that is read; a dimension without is read as a whole.
struct ReadSpan {
  Exprs lo, hi;
  std::vector<bool> whole;
};

/// Where axes of a stage are fused, the place that their coordinates have together is that of the fused axis: an
/// index that flattens them is one loop again, with a span of its own.
///
///   f = fuse(h, w):   h * W + w   ->   f
class FusedIndex {
 public:
  FusedIndex(const Stage& s, const FixedLoops& fixed, SpanMap& spans) : s_(s), spans_(spans) {
    const bool fuses = std::any_of(s.relations.begin(), s.relations.end(), [](const Relation& r) { return r.kind == Relation::Kind::kFuse; });
    if (!fuses || !on_chain(s, fixed)) return;
    const Spans of(s, fixed);
    for (std::size_t d = 0; d < s.roots.size(); ++d) {
      const bool shifted = s.roots[d].kind == AxisKind::kData && !is_zero(s.region.lo[d]);
      if (!shifted) values_.emplace(s.roots[d].axis, s.roots[d].coordinate);
    }
    for (const Relation& r : s.relations) {
      const bool known = r.kind == Relation::Kind::kFuse && values_.count(r.outer) != 0 && values_.count(r.inner) != 0;
      if (!known) continue;
      const ir::Var whole = ir::Var::fresh(r.whole, ir::i64);
      values_.emplace(r.whole, whole);
      spans_[whole.id()] = of.of(r.whole);
    }
  }

  Expr of(const Expr& index) const {
    if (values_.empty()) return index;
    ir::AffineSum sum = ir::affine_sum(index);
    bool changed = false;
    for (const Relation& r : s_.relations) {
      if (r.kind != Relation::Kind::kFuse || values_.count(r.whole) == 0) continue;
      const ir::Var &outer = values_.at(r.outer), &inner = values_.at(r.inner);
      const std::int64_t k = sum.coefficient_of(inner.id());
      if (k == 0 || sum.coefficient_of(outer.id()) != k * bound_of(s_, r.inner)) continue;
      sum.add(Expr(outer), -k * bound_of(s_, r.inner));
      sum.add(Expr(inner), -k);
      sum.add(Expr(values_.at(r.whole)), k);
      changed = true;
    }
    return changed ? sum.expr() : index;
  }

 private:
  const Stage& s_;
  SpanMap& spans_;
  std::map<std::string, ir::Var> values_;  // of axes, as variables of indices
};

/// Of `s` by one reader, added to `out`.
Status add_reads(const State& state, const Stage& s, const Stage& reader, const Exprs& bodies, const FixedLoops& fixed, bool all_reads, ReadSpan& out) {
  TESSERA_TRY(spans, coordinate_spans(state, reader, fixed));
  const FusedIndex fused(reader, fixed, spans);
  const SymbolicRange range(spans);
  for (const Expr& body : bodies) {
    ir::walk(body, [&](const Expr& e) {
      const auto* load = e.as<ir::Load>();
      if (load == nullptr || state.producer(load->buffer.get()) != &s) return true;
      for (std::size_t d = 0; d < out.lo.size(); ++d) {
        Expr a, b;
        if (!range.of(fused.of(simplify(load->indices[d])), a, b)) {
          out.whole[d] = true;
          continue;
        }
        if (!all_reads && out.lo[d].defined()) continue;
        out.lo[d] = out.lo[d].defined() ? ir::min(out.lo[d], a) : a;
        out.hi[d] = out.hi[d].defined() ? ir::max(out.hi[d], b) : b;
      }
      return true;
    });
  }
  return Done{};
}

/// Whether a reader computes past the end of its tensor, and so asks for what is past the end of `s`.
bool is_read_past_end(const State& state, const Stage& s) {
  for (const Stage* q : state.consumers(s)) {
    for (std::size_t d = 0; q->padded && d < q->region.bound.size(); ++d) {
      if (q->region.bound[d] > q->roots[d].extent) return true;
    }
  }
  return false;
}

ReadSpan no_reads(std::size_t rank) { return {Exprs(rank), Exprs(rank), std::vector<bool>(rank, false)}; }

std::vector<bool> always_whole(const State& state, const Stage& q) {
  ReadSpan reads = no_reads(q.outputs[0].rank());
  const FixedLoops fixed = fixed_at(state, q.at);
  for (const Stage* r : state.consumers(q)) {
    if (!add_reads(state, q, *r, r->body, fixed, true, reads).ok()) return std::vector<bool>(reads.lo.size(), false);
  }
  const Bounds bounds = loop_bounds(state);
  std::vector<bool> out;
  for (std::size_t d = 0; d < reads.lo.size(); ++d) {
    out.push_back(!reads.whole[d] && reads.lo[d].defined() && is_const_int(simplify(reads.hi[d] - reads.lo[d] + 1, bounds)));
  }
  return out;
}

}  // namespace

Result<Box> required_region(const State& state, const Stage& s, const FixedLoops& fixed, bool all_reads) {
  const std::size_t rank = s.outputs[0].rank();
  ReadSpan reads = no_reads(rank);
  for (const Stage* q : state.consumers(s)) TESSERA_TRY_DONE(add_reads(state, s, *q, q->body, fixed, all_reads, reads));
  const auto& [lo, hi, whole] = reads;
  const Bounds bounds = loop_bounds(state);
  const bool past = s.padded && is_read_past_end(state, s);
  Box box;
  for (std::size_t d = 0; d < rank; ++d) {
    const std::int64_t n = s.roots[d].extent;
    if (whole[d] || !lo[d].defined()) {
      box.lo.push_back(int_imm(0));
      box.extent.push_back(int_imm(n));
      box.bound.push_back(n);
      continue;
    }
    const Expr first = simplify(ir::max(simplify(lo[d], bounds), int_imm(0)), bounds);
    const Expr end = simplify(hi[d], bounds);
    const Expr last = past ? end : simplify(ir::min(end, int_imm(n - 1)), bounds);
    const Expr extent = simplify(last - first + 1, bounds);
    const Interval r = ir::affine_sum(extent).range(bounds);
    box.lo.push_back(first);
    box.extent.push_back(extent);
    box.bound.push_back(std::max<std::int64_t>(1, past ? r.hi : std::min(n, r.hi)));
  }
  return s.is_scan() ? with_earlier_rows(state, s, std::move(box)) : box;
}

Result<Box> touched_box(const State& state, const Stage& s, const std::string& axis, const Stage& tensor, bool write) {
  const FixedLoops fixed = fixed_at(state, {s.name, axis});
  ReadSpan touched = no_reads(tensor.outputs[0].rank());
  if (write) {
    Exprs index;
    for (const RootAxis& r : s.roots) {
      if (r.kind == AxisKind::kData) index.push_back(r.coordinate);
    }
    TESSERA_TRY_DONE(add_reads(state, tensor, s, {tensor.outputs[0].load(index)}, fixed, true, touched));
  }
  for (const Stage* q : state.consumers(tensor)) {
    bool inside = q->name == s.name;
    for (const Attach& a : attach_chain(state, *q)) inside |= a.stage == s.name && s.leaf_index(a.axis) >= s.leaf_index(axis);
    if (inside && !write) TESSERA_TRY_DONE(add_reads(state, tensor, *q, q->body, fixed, true, touched));
  }
  const Bounds bounds = loop_bounds(state);
  Box box;
  for (std::size_t d = 0; d < touched.lo.size(); ++d) {
    if (!touched.lo[d].defined() && !touched.whole[d]) {
      return refuse("loop '", axis, "' of stage '", s.name, "' does not ", write ? "write" : "read", " '", tensor.name, "'");
    }
    if (touched.whole[d]) return refuse("index ", d, " of '", tensor.name, "' is no sum of loops of '", s.name, "'; where it will be cannot be told");
    box.lo.push_back(simplify(touched.lo[d], bounds));
    box.extent.push_back(simplify(touched.hi[d] - touched.lo[d] + 1, bounds));
    const Interval r = ir::affine_sum(box.extent.back()).range(bounds);
    box.bound.push_back(std::max<std::int64_t>(1, std::min(tensor.roots[d].extent, r.hi)));
  }
  return box;
}

Box intersection(const Box& a, const Box& b, const Bounds& bounds) {
  Box out;
  for (std::size_t d = 0; d < a.lo.size(); ++d) {
    const Expr lo = simplify(ir::max(a.lo[d], b.lo[d]), bounds);
    const Expr end = ir::min(a.lo[d] + a.extent[d], b.lo[d] + b.extent[d]);
    out.lo.push_back(lo);
    out.extent.push_back(simplify(end - lo, bounds));
    out.bound.push_back(std::min(a.bound[d], b.bound[d]));
  }
  return out;
}

}  // namespace tessera::schedule
