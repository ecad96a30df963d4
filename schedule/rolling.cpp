#include "schedule/rolling.h"

#include <algorithm>

#include "ir/analysis/affine.h"
#include "ir/rewrite.h"
#include "schedule/geometry.h"

namespace tessera::schedule {

using ir::int_imm;
using ir::simplify;

namespace {

/// True when `sum` never falls while `v` grows and all else holds still. k*v + min(a, b) is the smaller
/// of k*v + a and k*v + b, so each is looked at with everything around it.
bool never_falls(const ir::AffineSum& sum, const Var& v) {
  for (const ir::Term& t : sum.terms) {
    if (t.atom->kind == ir::ExprKind::kVar || !ir::uses_var(t.atom, v.id())) continue;
    const ir::Binary* n = ir::as_binary(t.atom);
    if (n != nullptr && (n->kind == ir::ExprKind::kMin || n->kind == ir::ExprKind::kMax)) {
      for (const Expr& side : {n->a, n->b}) {
        ir::AffineSum whole = sum;
        whole.add(t.atom, -t.coefficient);
        whole.add(ir::affine_sum(side), t.coefficient);
        if (!never_falls(whole, v)) return false;
      }
      return true;
    }
    const bool quotient = n != nullptr && n->kind == ir::ExprKind::kFloorDiv && is_const_int(n->b);
    if (!quotient || t.coefficient < 0 || !never_falls(ir::affine_sum(n->a), v)) return false;
  }
  return sum.coefficient_of(v.id()) >= 0;
}

/// The loop at which a stage is computed.
const Axis& place_of(const State& state, const Stage& s) { return *state.find(s.at.stage)->find_axis(s.at.axis); }

Expr end_of(const Box& box, std::size_t d) { return box.lo[d] + box.extent[d]; }

}  // namespace

Result<std::size_t> rolling_dimension(const State& state, const Stage& s, const Box& box) {
  const Axis& loop = place_of(state, s);
  std::optional<std::size_t> found;
  for (std::size_t d = 0; d < box.lo.size(); ++d) {
    if (!ir::uses_var(box.lo[d], loop.var.id()) && !ir::uses_var(box.extent[d], loop.var.id())) continue;
    if (found) {
      return refuse("the region of stage '", s.name, "' moves in several dimensions along loop '", loop.name, "' of '", s.at.stage,
                    "'; a rolling window moves in one");
    }
    found = d;
  }
  if (!found) {
    return refuse("the region of stage '", s.name, "' does not move along loop '", loop.name, "' of '", s.at.stage,
                  "'; compute it outside of that loop instead");
  }
  if (!never_falls(ir::affine_sum(box.lo[*found]), loop.var) || !never_falls(ir::affine_sum(end_of(box, *found)), loop.var)) {
    return refuse("the region of stage '", s.name, "' does not only move forward along loop '", loop.name, "' of '", s.at.stage,
                  "'; a rolling window needs a loop that is not fused");
  }
  return *found;
}

Result<Box> rolled_box(const State& state, const Stage& s, const Box& box) {
  const Axis& loop = place_of(state, s);
  TESSERA_TRY(d, rolling_dimension(state, s, box));
  const ir::Bounds bounds = loop_bounds(state);
  const Expr before = ir::substitute(end_of(box, d), loop.var, loop.var - 1);
  // In the first iteration the product is 0 and nothing is kept; afterwards it is past every end.
  const Expr kept = ir::min(loop.var * int_imm(s.roots[d].extent), before);
  Box out = box;
  out.lo[d] = simplify(ir::max(box.lo[d], kept), bounds);
  out.extent[d] = simplify(ir::min(end_of(box, d) - out.lo[d], int_imm(box.bound[d])), bounds);
  return out;
}

}  // namespace tessera::schedule
