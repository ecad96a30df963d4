// Floating-point values with a proved bound: every correctly lowered kernel, whatever its order of
// summation and with or without fused multiply-adds, gives a result within `error` of `value`.
//
// `value` is computed in double; the bound covers the rounding of the kernel's dtype (unit roundoff
// u) and of the double itself. Functions are allowed 4 units in the last place of their dtype (exp,
// exp2, log, log2, tanh, erf, sigmoid, sin, cos, pow, rsqrt; sin and cos up to |x| of 2^20), + - *
// / sqrt and fma half a unit. Rules: Higham, "Accuracy and Stability of Numerical Algorithms",
// ch. 3.
#pragma once

#include <cstdint>

#include "ir/expr.h"

namespace tessera::ir {

struct BoundedFloat {
  double value = 0;
  double error = 0;  // infinite when nothing can be promised

  /// An input: exact.
  static BoundedFloat exact(double v) { return {v, 0}; }
  bool contains(double y) const;
  double lo() const { return value - error; }
  double hi() const { return value + error; }
};

/// Half the distance from 1 to the next value of `t`, and the least positive value of `t`.
double unit_roundoff(Type t);
double least_positive(Type t);

/// a op b in `t`, for + - * / min max.
BoundedFloat bounded_binary(ExprKind op, Type t, const BoundedFloat& a, const BoundedFloat& b);
BoundedFloat bounded_intrinsic(Intrinsic f, Type t, const BoundedFloat& a,
                               const BoundedFloat& b = {}, const BoundedFloat& c = {});
/// One rounding to `t`: a store or a cast to a float type.
BoundedFloat bounded_round(Type t, const BoundedFloat& a);

enum class Truth : std::uint8_t { kFalse, kTrue, kEither };
/// kEither when the bounds leave the outcome open: a result that hangs on it is "do not care".
Truth bounded_compare(ExprKind op, const BoundedFloat& a, const BoundedFloat& b);
/// Both outcomes of an open condition.
BoundedFloat bounded_either(const BoundedFloat& a, const BoundedFloat& b);

/// A sum in any order: error = n * u * sum of |x| + sum of the terms' own errors, for any n (Jeannerod and Rump,
/// "Improved error bounds for inner products in floating-point arithmetic", SIMAX 34, 2013). 0 where all terms are
/// integers and even their sizes add up to no more than the dtype counts to.
class BoundedSum {
 public:
  void add(const BoundedFloat& x);
  BoundedFloat result(Type t) const;
  /// Sum of |x|, for the statistical warning of the tolerance mode.
  double magnitude() const { return magnitude_; }

 private:
  double value_ = 0, compensation_ = 0, magnitude_ = 0, errors_ = 0;
  std::int64_t count_ = 0;
  bool integers_ = true;  // all terms, without error
};

}  // namespace tessera::ir
