// Whether floating-point operations round: what exact modes of the oracles refuse.
#pragma once

#include <cmath>

#include "ir/arith.h"

namespace tessera::ir {

/// Is p, computed in double, the very product of a and b? The rounding of p to `t` is checked apart.
inline bool product_is_exact(double a, double b, double p, Type t) {
  if (t.bits <= 32) return true;
  return std::isfinite(p) ? std::fma(a, b, -p) == 0 && (p != 0 || a == 0 || b == 0) : !std::isnan(p);
}

/// Is s, computed in double, the very sum of a and b? Knuth's two-sum has no remainder.
inline bool sum_is_exact(double a, double b, double s) {
  if (!std::isfinite(s)) return !std::isnan(s);
  const double bb = s - a;
  return (a - (s - bb)) + (b - bb) == 0;
}

/// Is r, what apply_float gives for a op b in `t`, the result before rounding?
inline bool is_exact(ExprKind op, Type t, double a, double b, double r) {
  switch (op) {
    case ExprKind::kAdd: return r == a + b && sum_is_exact(a, b, a + b);
    case ExprKind::kSub: return r == a - b && sum_is_exact(a, -b, a - b);
    case ExprKind::kMul: return r == a * b && product_is_exact(a, b, a * b, t);
    case ExprKind::kDiv: return r == a / b && std::fma(a / b, b, -a) == 0;
    default: return true;  // min and max choose
  }
}

/// Functions whose results on floats are exact whenever their arguments are: they choose or drop digits.
inline bool is_exact_intrinsic(Intrinsic f) {
  switch (f) {
    case Intrinsic::kAbs:
    case Intrinsic::kCeil:
    case Intrinsic::kFloor:
    case Intrinsic::kTrunc:
    case Intrinsic::kRound:
    case Intrinsic::kIsFinite:
    case Intrinsic::kIsInf:
    case Intrinsic::kIsNan: return true;
    default: return false;
  }
}

/// fma on values of `t`.
inline bool is_exact_fma(Type t, double a, double b, double c) {
  const double p = a * b, s = p + c;
  return product_is_exact(a, b, p, t) && sum_is_exact(p, c, s) && rounded(s, t) == s;
}

}  // namespace tessera::ir
