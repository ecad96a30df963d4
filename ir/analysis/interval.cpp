#include "ir/analysis/interval.h"

#include <algorithm>

namespace tessera::ir {

namespace {

constexpr std::int64_t kInf = Interval::kInf;

std::int64_t clamp(__int128 v) {
  if (v >= kInf) return kInf;
  if (v <= -kInf) return -kInf;
  return static_cast<std::int64_t>(v);
}

bool infinite(std::int64_t v) { return v >= kInf || v <= -kInf; }

std::int64_t add(std::int64_t a, std::int64_t b) {
  if (infinite(a)) return a;  // callers never add infinities of opposite sign
  return infinite(b) ? b : clamp(static_cast<__int128>(a) + b);
}

std::int64_t mul(std::int64_t a, std::int64_t b) {
  if (a == 0 || b == 0) return 0;
  return clamp(static_cast<__int128>(a) * b);
}

std::int64_t fdiv(std::int64_t a, std::int64_t b) {
  if (infinite(a)) return (a > 0) == (b > 0) ? kInf : -kInf;
  const std::int64_t q = a / b;
  return q - ((a % b != 0) && ((a < 0) != (b < 0)));
}

Interval truth(bool known, bool value) { return known ? Interval::point(value ? 1 : 0) : Interval{0, 1}; }

Interval compare(ExprKind k, const Interval& a, const Interval& b) {
  switch (k) {
    case ExprKind::kLT: return a.hi < b.lo ? truth(true, true) : truth(a.lo >= b.hi, false);
    case ExprKind::kLE: return a.hi <= b.lo ? truth(true, true) : truth(a.lo > b.hi, false);
    case ExprKind::kEQ:
      if (a.is_point() && a == b) return truth(true, true);
      return truth(a.hi < b.lo || b.hi < a.lo, false);
    default:
      if (a.is_point() && a == b) return truth(true, false);
      return truth(a.hi < b.lo || b.hi < a.lo, true);
  }
}

Interval of_type(Type t) {
  if (!t.is_integral() || t.bits > 32) return Interval::all();
  return {min_value(t), max_value(t)};
}

/// Keeps a computed range only when the type cannot have wrapped it.
Interval within(const Interval& r, Type t) {
  const Interval limit = of_type(t.element());
  return r.lo >= limit.lo && r.hi <= limit.hi ? r : limit;
}

Interval binary_range(const Binary& n, const Bounds& bounds) {
  const Interval a = range_of(n.a, bounds), b = range_of(n.b, bounds);
  switch (n.kind) {
    case ExprKind::kAdd: return a + b;
    case ExprKind::kSub: return a - b;
    case ExprKind::kMul: return a * b;
    case ExprKind::kFloorDiv: return floordiv(a, b);
    case ExprKind::kFloorMod: return floormod(a, b);
    case ExprKind::kDiv: return a.lo >= 0 && b.lo > 0 ? floordiv(a, b) : Interval::all();
    case ExprKind::kMod: return a.lo >= 0 && b.lo > 0 ? floormod(a, b) : Interval::all();
    case ExprKind::kMin: return min(a, b);
    case ExprKind::kMax: return max(a, b);
    case ExprKind::kLT:
    case ExprKind::kLE:
    case ExprKind::kEQ:
    case ExprKind::kNE:
      return n.a.type().is_float() ? Interval{0, 1} : compare(n.kind, a, b);
    case ExprKind::kAnd: return {std::min(a.lo, b.lo), std::min(a.hi, b.hi)};
    case ExprKind::kOr: return {std::max(a.lo, b.lo), std::max(a.hi, b.hi)};
    case ExprKind::kBitAnd: return b.lo >= 0 ? Interval{0, b.hi} : Interval::all();
    case ExprKind::kBitOr:
    case ExprKind::kBitXor: {
      constexpr std::int64_t kMost = std::int64_t{1} << 40;
      const std::int64_t hi = std::max(a.hi, b.hi);
      if (a.lo < 0 || b.lo < 0 || hi > kMost) return Interval::all();
      std::int64_t bits = 1;  // no result has a bit above those of both
      while (bits <= hi) bits *= 2;
      return {0, bits - 1};
    }
    case ExprKind::kShiftRight:
      return b.is_point() && b.lo >= 0 && b.lo < 62 ? floordiv(a, Interval::point(std::int64_t{1} << b.lo))
                                                    : Interval::all();
    default: return Interval::all();
  }
}

}  // namespace

Interval operator+(const Interval& a, const Interval& b) { return {add(a.lo, b.lo), add(a.hi, b.hi)}; }
Interval operator-(const Interval& a, const Interval& b) { return {add(a.lo, -b.hi), add(a.hi, -b.lo)}; }

Interval operator*(const Interval& a, const Interval& b) {
  const std::int64_t p[] = {mul(a.lo, b.lo), mul(a.lo, b.hi), mul(a.hi, b.lo), mul(a.hi, b.hi)};
  return {*std::min_element(p, p + 4), *std::max_element(p, p + 4)};
}

Interval floordiv(const Interval& a, const Interval& b) {
  if (b.contains(0)) return Interval::all();
  if (infinite(b.lo) || infinite(b.hi)) return Interval::all();
  const std::int64_t p[] = {fdiv(a.lo, b.lo), fdiv(a.lo, b.hi), fdiv(a.hi, b.lo), fdiv(a.hi, b.hi)};
  return {*std::min_element(p, p + 4), *std::max_element(p, p + 4)};
}

Interval floormod(const Interval& a, const Interval& b) {
  if (b.lo <= 0 || infinite(b.hi)) return b.lo > 0 ? Interval{0, kInf} : Interval::all();
  if (b.is_point() && a.is_bounded() && fdiv(a.lo, b.lo) == fdiv(a.hi, b.lo)) {
    const std::int64_t base = fdiv(a.lo, b.lo) * b.lo;
    return {a.lo - base, a.hi - base};
  }
  if (a.lo >= 0) return {0, std::min(a.hi, b.hi - 1)};
  return {0, b.hi - 1};
}

Interval min(const Interval& a, const Interval& b) { return {std::min(a.lo, b.lo), std::min(a.hi, b.hi)}; }
Interval max(const Interval& a, const Interval& b) { return {std::max(a.lo, b.lo), std::max(a.hi, b.hi)}; }
Interval hull(const Interval& a, const Interval& b) { return {std::min(a.lo, b.lo), std::max(a.hi, b.hi)}; }

Interval range_of(const Expr& e, const Bounds& bounds) {
  if (!e.type().is_integral()) return Interval::all();
  if (const Binary* n = as_binary(e)) return within(binary_range(*n, bounds), e.type());
  switch (e->kind) {
    case ExprKind::kIntImm: return e.type() == u64 ? Interval::all() : Interval::point(e.as<IntImm>()->value);
    case ExprKind::kVar: {
      const auto it = bounds.find(e.as<VarNode>()->id);
      return it == bounds.end() ? of_type(e.type()) : it->second;
    }
    case ExprKind::kNot: {
      const Interval a = range_of(e.as<Not>()->a, bounds);
      return {1 - a.hi, 1 - a.lo};
    }
    case ExprKind::kSelect: {
      const auto* n = e.as<Select>();
      const Interval c = range_of(n->condition, bounds);
      if (c.is_point()) return range_of(c.lo ? n->yes : n->no, bounds);
      return hull(range_of(n->yes, bounds), range_of(n->no, bounds));
    }
    case ExprKind::kIfThenElseExpr: {
      const auto* n = e.as<IfThenElseExpr>();
      return hull(range_of(n->yes, bounds), range_of(n->no, bounds));
    }
    case ExprKind::kBroadcast: return range_of(e.as<Broadcast>()->value, bounds);
    case ExprKind::kRamp: {
      const auto* n = e.as<Ramp>();
      const Interval steps = range_of(n->stride, bounds) * Interval{0, n->type.lanes - 1};
      return within(range_of(n->base, bounds) + steps, e.type());
    }
    case ExprKind::kCast: {
      const Expr& v = e.as<Cast>()->value;
      return v.type().is_integral() ? within(range_of(v, bounds), e.type()) : of_type(e.type().element());
    }
    case ExprKind::kCall:
      if (e.as<Call>()->intrinsic == Intrinsic::kAbs) {
        const Interval a = range_of(e.as<Call>()->args[0], bounds);
        return within(max(a, Interval::point(0) - a), e.type());
      }
      return of_type(e.type().element());
    default: return of_type(e.type().element());
  }
}

}  // namespace tessera::ir
