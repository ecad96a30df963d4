#include "ir/arith.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>

namespace tessera::ir {

namespace {

std::uint64_t u(std::int64_t v) { return static_cast<std::uint64_t>(v); }
std::int64_t s(std::uint64_t v) { return static_cast<std::int64_t>(v); }

bool divide(ExprKind op, Type t, std::int64_t a, std::int64_t b, std::int64_t& out) {
  if (b == 0) return false;
  const bool quotient = op == ExprKind::kDiv || op == ExprKind::kFloorDiv;
  if (t.is_uint()) {
    out = s(quotient ? u(a) / u(b) : u(a) % u(b));
    return true;
  }
  if (b == -1) {
    out = quotient ? wrapped(s(0 - u(a)), t) : 0;
    return true;
  }
  std::int64_t q = a / b, r = a % b;
  const bool floors = op == ExprKind::kFloorDiv || op == ExprKind::kFloorMod;
  if (floors && r != 0 && (r < 0) != (b < 0)) {
    --q;
    r += b;
  }
  out = quotient ? q : r;
  return true;
}

struct Format {  // of a float with an implicit leading bit
  int exponent_bits, mantissa_bits;
};

Format format_of(Type t) {
  switch (t.code) {
    case TypeCode::kBFloat:
      return {8, 7};
    case TypeCode::kFloatE4M3:
      return {4, 3};
    case TypeCode::kFloatE5M2:
      return {5, 2};
    default:
      return {5, 10};
  }
}

bool is_small_float(Type t) {
  return t.code == TypeCode::kBFloat || t.code == TypeCode::kFloatE4M3 ||
         t.code == TypeCode::kFloatE5M2 || (t.code == TypeCode::kFloat && t.bits == 16);
}

std::uint64_t encode_small(double v, Type t) {
  const Format f = format_of(t);
  const std::uint64_t sign = std::uint64_t{std::signbit(v)} << (f.exponent_bits + f.mantissa_bits);
  const std::uint64_t all_ones = ((std::uint64_t{1} << f.exponent_bits) - 1) << f.mantissa_bits;
  const bool has_infinity =
      t.code != TypeCode::kFloatE4M3;  // there all ones is NaN, one less the largest
  if (std::isnan(v) || (std::isinf(v) && !has_infinity)) {
    return sign | all_ones |
           (has_infinity ? std::uint64_t{1} << (f.mantissa_bits - 1)
                         : (std::uint64_t{1} << f.mantissa_bits) - 1);
  }
  if (std::isinf(v)) return sign | all_ones;
  v = std::fabs(round_to(v, t));
  if (v == 0) return sign;
  const int bias = (1 << (f.exponent_bits - 1)) - 1;
  const int e = std::max(std::ilogb(v), 1 - bias);
  const auto m = static_cast<std::uint64_t>(std::ldexp(v, f.mantissa_bits - e));
  // A normal number carries its leading bit into the exponent field; a subnormal has none to carry.
  return sign | ((static_cast<std::uint64_t>(e + bias - 1) << f.mantissa_bits) + m);
}

double decode_small(std::uint64_t bits, Type t) {
  const Format f = format_of(t);
  const std::uint64_t m = bits & ((std::uint64_t{1} << f.mantissa_bits) - 1);
  const auto e =
      static_cast<int>((bits >> f.mantissa_bits) & ((std::uint64_t{1} << f.exponent_bits) - 1));
  const double sign = (bits >> (f.exponent_bits + f.mantissa_bits)) & 1 ? -1 : 1;
  const int top = (1 << f.exponent_bits) - 1, bias = (1 << (f.exponent_bits - 1)) - 1;
  const bool e4m3 = t.code == TypeCode::kFloatE4M3;
  if (e == top && (!e4m3 || m == (std::uint64_t{1} << f.mantissa_bits) - 1)) {
    return m == 0 ? sign * HUGE_VAL : std::numeric_limits<double>::quiet_NaN();
  }
  const double lead = e == 0 ? 0 : std::ldexp(1.0, f.mantissa_bits);
  return sign * std::ldexp(lead + static_cast<double>(m), std::max(e, 1) - bias - f.mantissa_bits);
}

/// a*b + c rounded once, for types of at most 32 bits: the product is exact in double, the sum is
/// rounded to odd, which a later rounding to fewer than 52 bits cannot tell from the exact sum.
double fma_small(double a, double b, double c, Type t) {
  const double p = a * b, sum = p + c;
  if (!std::isfinite(sum)) return rounded(sum, t);
  const double back = sum - p;
  const double error = (p - (sum - back)) + (c - back);
  double odd = sum;
  if (error != 0 && (std::bit_cast<std::uint64_t>(sum) & 1) == 0) {
    odd = std::nextafter(sum, error > 0 ? HUGE_VAL : -HUGE_VAL);
  }
  return rounded(odd, t);
}

double sigmoid(double x) {
  return x >= 0 ? 1 / (1 + std::exp(-x)) : std::exp(x) / (1 + std::exp(x));
}

double call_float(Intrinsic f, Type t, double a, double b, double c) {
  switch (f) {
    case Intrinsic::kAbs:
      return std::fabs(a);
    case Intrinsic::kCeil:
      return std::ceil(a);
    case Intrinsic::kCos:
      return std::cos(a);
    case Intrinsic::kErf:
      return std::erf(a);
    case Intrinsic::kExp:
      return std::exp(a);
    case Intrinsic::kExp2:
      return std::exp2(a);
    case Intrinsic::kFloor:
      return std::floor(a);
    case Intrinsic::kFma:
      return t.bits <= 32 ? fma_small(a, b, c, t) : std::fma(a, b, c);
    case Intrinsic::kFmod:
      return std::fmod(a, b);
    case Intrinsic::kLog:
      return std::log(a);
    case Intrinsic::kLog2:
      return std::log2(a);
    case Intrinsic::kPow:
      return std::pow(a, b);
    case Intrinsic::kRound:
      return std::nearbyint(a);
    case Intrinsic::kRsqrt:
      return 1 / std::sqrt(a);
    case Intrinsic::kSigmoid:
      return sigmoid(a);
    case Intrinsic::kSin:
      return std::sin(a);
    case Intrinsic::kSqrt:
      return std::sqrt(a);
    case Intrinsic::kTanh:
      return std::tanh(a);
    case Intrinsic::kTrunc:
      return std::trunc(a);
    case Intrinsic::kIsFinite:
    case Intrinsic::kIsInf:
    case Intrinsic::kIsNan:
    case Intrinsic::kPopcount:
    case Intrinsic::kCount:
      break;
  }
  TESSERA_UNREACHABLE();
}

std::int64_t to_integer(double v, Type t, CastMode mode) {
  if (std::isnan(v)) return 0;
  v = mode == CastMode::kRound ? std::nearbyint(v) : std::trunc(v);
  if (t == u64) return v <= 0 ? 0 : v >= 0x1p64 ? -1 : s(static_cast<std::uint64_t>(v));
  if (v <= static_cast<double>(min_value(t))) return min_value(t);
  if (v >= static_cast<double>(max_value(t))) return max_value(t);
  return static_cast<std::int64_t>(v);
}

std::int64_t between_integers(std::int64_t v, Type from, Type to, CastMode mode) {
  if (to.is_bool()) return v != 0;
  if (mode == CastMode::kWrap) return wrapped(v, to);
  if (from == u64) return v < 0 || v > max_value(to) ? (to == u64 ? v : max_value(to)) : v;
  return to == u64 ? std::max<std::int64_t>(v, 0) : std::clamp(v, min_value(to), max_value(to));
}

}  // namespace

bool apply_int(ExprKind op, Type t, std::int64_t a, std::int64_t b, std::int64_t& out) {
  const bool less = t == u64 ? u(a) < u(b) : a < b;
  switch (op) {
    case ExprKind::kAdd:
      out = wrapped(s(u(a) + u(b)), t);
      return true;
    case ExprKind::kSub:
      out = wrapped(s(u(a) - u(b)), t);
      return true;
    case ExprKind::kMul:
      out = wrapped(s(u(a) * u(b)), t);
      return true;
    case ExprKind::kDiv:
    case ExprKind::kMod:
    case ExprKind::kFloorDiv:
    case ExprKind::kFloorMod:
      return divide(op, t, a, b, out);
    case ExprKind::kMin:
      out = less ? a : b;
      return true;
    case ExprKind::kMax:
      out = less ? b : a;
      return true;
    case ExprKind::kEQ:
      out = a == b;
      return true;
    case ExprKind::kNE:
      out = a != b;
      return true;
    case ExprKind::kLT:
      out = less;
      return true;
    case ExprKind::kLE:
      out = less || a == b;
      return true;
    case ExprKind::kAnd:
    case ExprKind::kBitAnd:
      out = a & b;
      return true;
    case ExprKind::kOr:
    case ExprKind::kBitOr:
      out = a | b;
      return true;
    case ExprKind::kBitXor:
      out = a ^ b;
      return true;
    case ExprKind::kShiftLeft:
    case ExprKind::kShiftRight:
      if (b < 0 || b >= t.bits) return false;
      out = op == ExprKind::kShiftLeft ? wrapped(s(u(a) << b), t)
            : t == u64                 ? s(u(a) >> b)
                                       : a >> b;
      return true;
    default:
      TESSERA_UNREACHABLE();
  }
}

double apply_float(ExprKind op, Type t, double a, double b) {
  switch (op) {
    case ExprKind::kAdd:
      return rounded(a + b, t);
    case ExprKind::kSub:
      return rounded(a - b, t);
    case ExprKind::kMul:
      return rounded(a * b, t);
    case ExprKind::kDiv:
      return rounded(a / b, t);
    case ExprKind::kMin:
      return a < b ? a : b;
    case ExprKind::kMax:
      return b < a ? a : b;
    default:
      TESSERA_UNREACHABLE();
  }
}

bool compare_float(ExprKind op, double a, double b) {
  switch (op) {
    case ExprKind::kEQ:
      return a == b;
    case ExprKind::kNE:
      return a != b;
    case ExprKind::kLT:
      return a < b;
    case ExprKind::kLE:
      return a <= b;
    default:
      TESSERA_UNREACHABLE();
  }
}

Scalar apply_intrinsic(Intrinsic f, Type t, Scalar a, Scalar b, Scalar c) {
  Scalar out{};
  if (t.is_integral()) {
    if (f == Intrinsic::kPopcount) {
      const std::uint64_t mask =
          t.bits >= 64 ? ~std::uint64_t{0} : (std::uint64_t{1} << t.bits) - 1;
      out.i = std::popcount(u(a.i) & mask);
    } else {  // abs; of the smallest value wraps
      out.i = t.is_int() && a.i < 0 ? wrapped(s(0 - u(a.i)), t) : a.i;
    }
    return out;
  }
  switch (f) {
    case Intrinsic::kIsFinite:
      out.i = std::isfinite(a.f);
      break;
    case Intrinsic::kIsInf:
      out.i = std::isinf(a.f);
      break;
    case Intrinsic::kIsNan:
      out.i = std::isnan(a.f);
      break;
    default:
      out.f = rounded(call_float(f, t, a.f, b.f, c.f), t);
      break;
  }
  return out;
}

Scalar convert(Scalar v, Type from, Type to, CastMode mode) {
  Scalar out{};
  if (to.is_float()) {
    double d = from.is_float() ? v.f
               : from == u64   ? static_cast<double>(u(v.i))
                               : static_cast<double>(v.i);
    // A 64-bit integer is rounded to f32 once, not through f64.
    if (to == f32 && from.is_integral() && from.bits == 64)
      d = from == u64 ? static_cast<float>(u(v.i)) : static_cast<float>(v.i);
    out.f = rounded(d, to);
  } else if (from.is_float()) {
    out.i = to.is_bool() ? v.f != 0 : to_integer(v.f, to, mode);
  } else {
    out.i = between_integers(v.i, from, to, mode);
  }
  return out;
}

std::uint64_t to_bits(Scalar v, Type t) {
  if (!t.is_float()) return t.bits >= 64 ? u(v.i) : u(v.i) & ((std::uint64_t{1} << t.bits) - 1);
  if (is_small_float(t)) return encode_small(v.f, t);
  return t.bits == 64 ? std::bit_cast<std::uint64_t>(v.f)
                      : std::bit_cast<std::uint32_t>(static_cast<float>(v.f));
}

Scalar from_bits(std::uint64_t bits, Type t) {
  Scalar out{};
  if (!t.is_float()) {
    out.i = wrapped(s(bits), t);
  } else if (is_small_float(t)) {
    out.f = decode_small(bits, t);
  } else {
    out.f = t.bits == 64
                ? std::bit_cast<double>(bits)
                : static_cast<double>(std::bit_cast<float>(static_cast<std::uint32_t>(bits)));
  }
  return out;
}

Scalar reinterpret_bits(Scalar v, Type from, Type to) { return from_bits(to_bits(v, from), to); }

}  // namespace tessera::ir
