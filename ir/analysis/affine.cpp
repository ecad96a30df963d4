#include "ir/analysis/affine.h"

#include <algorithm>

#include "ir/arith.h"
#include "ir/rewrite.h"

namespace tessera::ir {

// Index arithmetic does not overflow in a program that runs; for one that only claims to be (a log),
// sums wrap as the i64 they stand for.
void AffineSum::add(const Expr& atom, std::int64_t k) {
  if (k == 0) return;
  for (std::size_t i = 0; i < terms.size(); ++i) {
    if (terms[i].atom.hash() != atom.hash() || !equal(terms[i].atom, atom)) continue;
    terms[i].coefficient = wrapping_add(terms[i].coefficient, k);
    if (terms[i].coefficient == 0) terms.erase(terms.begin() + static_cast<std::ptrdiff_t>(i));
    return;
  }
  terms.push_back({atom, k});
}

void AffineSum::add(const AffineSum& o, std::int64_t scale) {
  constant = wrapping_add(constant, wrapping_mul(o.constant, scale));
  for (const Term& t : o.terms) add(t.atom, wrapping_mul(t.coefficient, scale));
}

std::int64_t AffineSum::coefficient_of(VarId v) const {
  for (const Term& t : terms) {
    const auto* n = t.atom.as<VarNode>();
    if (n != nullptr && n->id == v) return t.coefficient;
  }
  return 0;
}

namespace {

/// Range of a sum whose first `open` min/max atoms are taken apart, so that terms cancel inside the
/// branches: for min(4, n - 4*o) + 4*o this finds n, where adding ranges would find n + 4.
Interval expanded_range(const AffineSum& s, const Bounds& bounds, int open) {
  for (std::size_t i = 0; i < s.terms.size() && open > 0; ++i) {
    const Term t = s.terms[i];
    const bool is_min = t.atom->kind == ExprKind::kMin;
    if (!is_min && t.atom->kind != ExprKind::kMax) continue;
    const Binary* n = as_binary(t.atom);
    AffineSum rest = s;
    rest.terms.erase(rest.terms.begin() + static_cast<std::ptrdiff_t>(i));
    AffineSum with_a = rest, with_b = rest;
    with_a.add(affine_sum(n->a), t.coefficient);
    with_b.add(affine_sum(n->b), t.coefficient);
    const Interval a = expanded_range(with_a, bounds, open - 1), b = expanded_range(with_b, bounds, open - 1);
    // k*min(a, b) is min(k*a, k*b) for k > 0 and max for k < 0.
    return is_min == (t.coefficient > 0) ? min(a, b) : max(a, b);
  }
  Interval r = Interval::point(s.constant);
  for (const Term& t : s.terms) r = r + range_of(t.atom, bounds) * Interval::point(t.coefficient);
  return r;
}

}  // namespace

Interval AffineSum::range(const Bounds& bounds) const {
  constexpr int kOpen = 5;  // at most 2^5 plain ranges
  return expanded_range(*this, bounds, kOpen);
}

Expr AffineSum::expr() const {
  Expr e;
  const auto join = [&](const Expr& x, std::int64_t k) {
    const std::int64_t size = k < 0 ? wrapping_mul(k, -1) : k;
    const Expr scaled = x * int_imm(size);
    if (!e.defined()) {
      e = k < 0 ? x * int_imm(k) : scaled;
    } else {
      e = k < 0 ? e - scaled : e + scaled;
    }
  };
  for (const Term& t : terms) {
    if (t.coefficient > 0) join(t.atom, t.coefficient);
  }
  if (!e.defined() && constant > 0) e = int_imm(constant);
  const bool constant_done = e.defined() && terms.end() == std::find_if(terms.begin(), terms.end(), [](const Term& t) { return t.coefficient > 0; });
  for (const Term& t : terms) {
    if (t.coefficient < 0) join(t.atom, t.coefficient);
  }
  if (!e.defined()) return int_imm(constant);
  if (constant == 0 || constant_done) return e;
  return constant > 0 ? e + int_imm(constant) : e - int_imm(wrapping_mul(constant, -1));
}

AffineSum affine_sum(const Expr& e) {
  AffineSum s;
  std::int64_t v = 0;
  if (is_const_int(e, &v)) {
    s.constant = v;
    return s;
  }
  if (const auto* n = e.as<Add>()) {
    s = affine_sum(n->a);
    s.add(affine_sum(n->b));
    return s;
  }
  if (const auto* n = e.as<Sub>()) {
    s = affine_sum(n->a);
    s.add(affine_sum(n->b), -1);
    return s;
  }
  if (const auto* n = e.as<Mul>()) {
    const AffineSum a = affine_sum(n->a), b = affine_sum(n->b);
    const AffineSum* k = a.is_constant() ? &a : (b.is_constant() ? &b : nullptr);
    if (k != nullptr) {
      const AffineSum& x = k == &a ? b : a;
      std::int64_t probe = 0;
      bool overflow = __builtin_mul_overflow(x.constant, k->constant, &probe);
      for (const Term& t : x.terms) overflow |= __builtin_mul_overflow(t.coefficient, k->constant, &probe);
      if (!overflow) {
        s.add(x, k->constant);
        return s;
      }
    }
  }
  s.add(e, 1);
  return s;
}

bool split_linear(const Expr& e, VarId var, std::int64_t& coefficient, Expr& rest) {
  AffineSum s = affine_sum(e);
  coefficient = 0;
  for (std::size_t i = 0; i < s.terms.size();) {
    const auto* v = s.terms[i].atom.as<VarNode>();
    if (v != nullptr && v->id == var) {
      coefficient = s.terms[i].coefficient;
      s.terms.erase(s.terms.begin() + static_cast<std::ptrdiff_t>(i));
    } else {
      if (uses_var(s.terms[i].atom, var)) return false;
      ++i;
    }
  }
  rest = s.expr();
  return true;
}

std::int64_t divisor_of(const Expr& e) {
  constexpr std::int64_t kMost = std::int64_t{1} << 20;
  const AffineSum sum = affine_sum(e);
  std::int64_t out = sum.constant == 0 ? kMost : sum.constant & -sum.constant;
  for (const Term& t : sum.terms) out = std::min(out, t.coefficient & -t.coefficient);
  return std::min(out, kMost);
}

}  // namespace tessera::ir
