#include "polyhedral/detail/affine.h"

#include <isl/aff.h>
#include <isl/local_space.h>

#include <algorithm>

#include "ir/print.h"
#include "ir/rewrite.h"

namespace tessera::polyhedral::detail {

using ir::AffineSum;
using ir::Expr;

namespace {

[[noreturn]] void not_affine(const Expr& e) { throw NotAffine{ir::to_string(e)}; }

/// The divisor of a division by a positive constant.
std::int64_t divisor(const ir::Binary& n, const Expr& e) {
  std::int64_t c = 0;
  if (!ir::is_const_int(n.b, &c) || c <= 0) not_affine(e);
  return c;
}

}  // namespace

int Space::add_variable(const ir::Var& v, ir::Interval range) {
  variables_[v.id()] = size();
  ranges_[v.id()] = range;
  names_.push_back(v.name());
  return size() - 1;
}

int Space::add_data(const Expr& load) {
  if (const auto known = find_data(load)) return *known;
  data_.push_back({load, size()});
  names_.push_back(ir::to_string(load));
  return size() - 1;
}

std::optional<int> Space::find_data(const Expr& load) const {
  for (const auto& [known, d] : data_) {
    if (ir::equal(known, load)) return d;
  }
  return std::nullopt;
}

isl::set Space::universe() const {
  return isl::manage(isl_set_universe(isl_space_set_alloc(ctx_, 0, static_cast<unsigned>(size()))));
}

isl::aff Space::dimension(int d) const {
  isl_local_space* local = isl_local_space_from_space(isl_space_set_alloc(ctx_, 0, static_cast<unsigned>(size())));
  return isl::manage(isl_aff_var_on_domain(local, isl_dim_set, static_cast<unsigned>(d)));
}

isl::pw_aff Space::constant(std::int64_t v) const { return sum_value({{}, v}); }

isl::pw_aff Space::sum_value(const AffineSum& s) const {
  isl_local_space* local = isl_local_space_from_space(isl_space_set_alloc(ctx_, 0, static_cast<unsigned>(size())));
  isl::aff linear = isl::manage(isl_aff_zero_on_domain(local)).add_constant(static_cast<long>(s.constant));
  std::vector<const ir::Term*> others;
  for (const ir::Term& t : s.terms) {
    const auto* v = t.atom.as<ir::VarNode>();
    const auto known = v == nullptr ? variables_.end() : variables_.find(v->id);
    if (known == variables_.end()) {
      others.push_back(&t);
      continue;
    }
    linear = linear.add(dimension(known->second).scale(static_cast<long>(t.coefficient)));
  }
  isl::pw_aff out(linear);
  for (const ir::Term* t : others) out = out.add(atom_value(t->atom).scale(static_cast<long>(t->coefficient)));
  return out;
}

isl::pw_aff Space::value(const Expr& e) const {
  if (!e.type().is_integral() || !e.type().is_scalar()) not_affine(e);
  if (e.type() == ir::i64) return sum_value(ir::affine_sum(e));
  return atom_value(e);
}

isl::pw_aff Space::choice(const Expr& condition, const Expr& yes, const Expr& no) const {
  const isl::set holds = where(condition);
  return isl::manage(isl_pw_aff_union_add(value(yes).intersect_domain(holds).release(), value(no).subtract_domain(holds).release()));
}

/// Quotient and remainder as sums, where the terms that the divisor does not divide stay below it.
std::optional<std::pair<AffineSum, AffineSum>> Space::quotient(const Expr& e, std::int64_t divisor) const {
  AffineSum whole, rest;
  const AffineSum s = ir::affine_sum(e);
  for (const ir::Term& t : s.terms) (t.coefficient % divisor == 0 ? whole : rest).add(t.atom, t.coefficient);
  rest.constant = ((s.constant % divisor) + divisor) % divisor;
  whole.constant = s.constant - rest.constant;
  const ir::Interval range = rest.range(ranges_);
  if (range.lo < 0 || range.hi >= divisor) return std::nullopt;
  for (ir::Term& t : whole.terms) t.coefficient /= divisor;
  whole.constant /= divisor;
  return std::pair(whole, rest);
}

isl::pw_aff Space::atom_value(const Expr& e) const {
  switch (e->kind) {
    case ir::ExprKind::kIntImm: return constant(e.as<ir::IntImm>()->value);
    case ir::ExprKind::kMin: return value(e.as<ir::Min>()->a).min(value(e.as<ir::Min>()->b));
    case ir::ExprKind::kMax: return value(e.as<ir::Max>()->a).max(value(e.as<ir::Max>()->b));
    case ir::ExprKind::kSelect: return choice(e.as<ir::Select>()->condition, e.as<ir::Select>()->yes, e.as<ir::Select>()->no);
    case ir::ExprKind::kIfThenElseExpr:
      return choice(e.as<ir::IfThenElseExpr>()->condition, e.as<ir::IfThenElseExpr>()->yes, e.as<ir::IfThenElseExpr>()->no);
    case ir::ExprKind::kFloorDiv:
    case ir::ExprKind::kFloorMod: {
      const ir::Binary& n = *ir::as_binary(e);
      const std::int64_t by = divisor(n, e);
      const bool div = e->kind == ir::ExprKind::kFloorDiv;
      if (const auto parts = quotient(n.a, by)) return sum_value(div ? parts->first : parts->second);
      return div ? value(n.a).scale_down(static_cast<long>(by)).floor() : value(n.a).mod(static_cast<long>(by));
    }
    case ir::ExprKind::kDiv: return value(e.as<ir::Div>()->a).tdiv_q(constant(divisor(*ir::as_binary(e), e)));
    case ir::ExprKind::kMod: return value(e.as<ir::Mod>()->a).tdiv_r(constant(divisor(*ir::as_binary(e), e)));
    case ir::ExprKind::kLoad: {
      const auto d = find_data(e);
      if (!d) not_affine(e);
      return isl::pw_aff(dimension(*d));
    }
    case ir::ExprKind::kCast: {
      // Only casts that cannot change a value: of all values of the narrower type, or of what fits in any case.
      const auto& n = *e.as<ir::Cast>();
      if (!n.value.type().is_integral()) not_affine(e);
      const ir::Type from = n.value.type(), to = n.type;
      const bool widens = from.bits < to.bits && (from.is_uint() || to.is_int());
      if (!widens && !(from == to)) not_affine(e);
      return value(n.value);
    }
    default: not_affine(e);
  }
}

/// Where a sum is at least 0.
isl::set Space::non_negative(AffineSum s) const {
  for (const ir::Term& t : s.terms) {
    const ir::Binary* n = ir::as_binary(t.atom);
    // The other way round the two would overlap; the pieces of value() do not.
    if (t.atom->kind == (t.coefficient > 0 ? ir::ExprKind::kMin : ir::ExprKind::kMax)) {
      AffineSum a = s, b = s;
      for (auto* side : {&a, &b}) side->add(t.atom, -t.coefficient);
      a.add(ir::affine_sum(n->a), t.coefficient);
      b.add(ir::affine_sum(n->b), t.coefficient);
      return non_negative(a).intersect(non_negative(b));
    }
    std::int64_t c = 0;
    const bool quotient = t.atom->kind == ir::ExprKind::kFloorDiv && ir::is_const_int(n->b, &c) && c > 0;
    if (quotient && (t.coefficient == 1 || t.coefficient == -1)) {
      // rest + floor(a / c) >= 0 is a + c * rest >= 0, and rest - floor(a / c) >= 0 is c * rest + c - 1 - a >= 0.
      AffineSum whole, rest = s;
      rest.add(t.atom, -t.coefficient);
      whole.add(rest, c);
      whole.add(ir::affine_sum(n->a), t.coefficient);
      if (t.coefficient < 0) whole.constant += c - 1;
      return non_negative(whole);
    }
  }
  return sum_value(s).ge_set(constant(0));
}

isl::set Space::where(const Expr& condition) const {
  using ir::ExprKind;
  const auto difference = [](const Expr& a, const Expr& b, std::int64_t constant) {
    AffineSum s = ir::affine_sum(a);
    s.add(ir::affine_sum(b), -1);
    s.constant += constant;
    return s;
  };
  const ir::Binary* n = ir::as_binary(condition);
  switch (condition->kind) {
    case ExprKind::kIntImm: return ir::is_true(condition) ? universe() : isl::set::empty(universe().space());
    case ExprKind::kAnd: return where(n->a).intersect(where(n->b));
    case ExprKind::kOr: return where(n->a).unite(where(n->b));
    case ExprKind::kNot: return universe().subtract(where(condition.as<ir::Not>()->a));
    case ExprKind::kLT:
    case ExprKind::kLE:
    case ExprKind::kEQ:
    case ExprKind::kNE: {
      if (n->a.type() == ir::i64 && condition->kind == ExprKind::kLT) return non_negative(difference(n->b, n->a, -1));
      if (n->a.type() == ir::i64 && condition->kind == ExprKind::kLE) return non_negative(difference(n->b, n->a, 0));
      const isl::pw_aff a = value(n->a), b = value(n->b);
      if (condition->kind == ExprKind::kLT) return a.lt_set(b);
      if (condition->kind == ExprKind::kLE) return a.le_set(b);
      return condition->kind == ExprKind::kEQ ? a.eq_set(b) : a.ne_set(b);
    }
    default: not_affine(condition);
  }
}

isl::set Space::within(const Expr& e, const Expr& lo, const Expr& hi) const { return where(lo <= e).intersect(where(e < hi)); }

isl::multi_pw_aff Space::values(const ir::Exprs& es) const {
  isl_pw_aff_list* list = isl_pw_aff_list_alloc(ctx_, static_cast<int>(es.size()));
  isl::pw_aff_list owned = isl::manage(list);
  for (const Expr& e : es) owned = owned.add(value(e));
  const isl::space space = isl::manage(isl_space_alloc(ctx_, 0, static_cast<unsigned>(size()), static_cast<unsigned>(es.size())));
  return isl::multi_pw_aff(space, owned);
}

std::vector<Expr> integer_reads(const Expr& e) {
  std::vector<Expr> out;
  ir::walk(e, [&](const Expr& x) {
    if (x.as<ir::Load>() == nullptr || !x.type().is_integral()) return true;
    const bool known = std::any_of(out.begin(), out.end(), [&](const Expr& y) { return ir::equal(x, y); });
    if (!known) out.push_back(x);
    return true;
  });
  return out;
}

bool has_reads(const Expr& e) {
  bool found = false;
  ir::walk(e, [&](const Expr& x) {
    found |= x.as<ir::Load>() != nullptr;
    return !found;
  });
  return found;
}

}  // namespace tessera::polyhedral::detail
