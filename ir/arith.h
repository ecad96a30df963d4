// What one scalar operation of the IR gives: the meaning that every code generator is held to.
//
// Integers are held as int64 (u64 as its two's complement) and wrap in their type. Floats are held
// as double and rounded to their type after every operation; for types of at most 32 bits that is
// the correctly rounded result of + - * / sqrt and fma. Functions like exp are those of f64,
// rounded.
#pragma once

#include <cstdint>

#include "ir/expr.h"

namespace tessera::ir {

union Scalar {
  std::int64_t i;
  double f;
};

inline std::int64_t wrapped(std::int64_t v, Type t) {
  if (t.bits >= 64) return v;
  const int unused = 64 - t.bits;
  const auto up = static_cast<std::uint64_t>(v) << unused;
  return t.is_uint() ? static_cast<std::int64_t>(up >> unused)
                     : static_cast<std::int64_t>(up) >> unused;
}

inline std::int64_t wrapping_add(std::int64_t a, std::int64_t b) {
  return static_cast<std::int64_t>(static_cast<std::uint64_t>(a) + static_cast<std::uint64_t>(b));
}
inline std::int64_t wrapping_mul(std::int64_t a, std::int64_t b) {
  return static_cast<std::int64_t>(static_cast<std::uint64_t>(a) * static_cast<std::uint64_t>(b));
}

inline double rounded(double v, Type t) {
  if (t == f32) return static_cast<double>(static_cast<float>(v));
  return t == f64 ? v : round_to(v, t);
}

/// a op b on operands of the scalar type `t`; comparisons give 0 or 1. min(a, b) is a < b ? a : b
/// and max(a, b) is b < a ? a : b, so a NaN on either side gives b. False: division by zero, or a
/// shift by less than nothing or by the width or more. INT_MIN / -1 wraps, its remainder is 0.
bool apply_int(ExprKind op, Type t, std::int64_t a, std::int64_t b, std::int64_t& out);
/// For the arithmetic kinds; comparisons through compare_float.
double apply_float(ExprKind op, Type t, double a, double b);
bool compare_float(ExprKind op, double a, double b);

/// A pure function on scalars of type `t` (of integers where the table allows them). round() goes
/// to the nearest even.
Scalar apply_intrinsic(Intrinsic f, Type t, Scalar a, Scalar b, Scalar c);

/// The conversion of ir::Cast. Float to integer saturates, NaN gives 0, to bool is != 0.
Scalar convert(Scalar v, Type from, Type to, CastMode mode);
/// The same bits under a type of equal width.
Scalar reinterpret_bits(Scalar v, Type from, Type to);

/// Bits of a value as `t` stores them, and back.
std::uint64_t to_bits(Scalar v, Type t);
Scalar from_bits(std::uint64_t bits, Type t);

}  // namespace tessera::ir
