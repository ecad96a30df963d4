#include "ir/bounded.h"

#include <algorithm>
#include <cmath>

#include "ir/arith.h"

namespace tessera::ir {

namespace {

constexpr double kDouble = 0x1p-53;
constexpr double kFunctionUlps = 4;

/// Adds what `halves` half units of rounding in `t` and one in double may move a result by.
BoundedFloat settled(double value, double error, Type t, double halves) {
  if (!std::isfinite(value) || !std::isfinite(error)) return {value, HUGE_VAL};
  const double size = std::fabs(value) + error;
  error += halves * (unit_roundoff(t) * size + least_positive(t)) + kDouble * size;
  // Past the largest value of the dtype a kernel gives infinity.
  if (std::isinf(round_to(size + error, t))) return {value, HUGE_VAL};
  return {value, error * (1 + 8 * kDouble)};  // the bound itself is computed in double
}

bool is_integer(const BoundedFloat& x) { return x.error == 0 && std::trunc(x.value) == x.value; }

/// A sum, difference or product of integers that the dtype has is not rounded.
bool stays_integer(Type t, const BoundedFloat& a, const BoundedFloat& b, double result) {
  const double most = 1 / unit_roundoff(t);
  return is_integer(a) && is_integer(b) && std::max({std::fabs(a.value), std::fabs(b.value), std::fabs(result)}) <= most;
}

double at(Intrinsic f, double x) { return apply_intrinsic(f, f64, Scalar{.f = x}, {}, {}).f; }

/// A monotone function: its extremes are at the ends of the range.
BoundedFloat monotone(Intrinsic f, const BoundedFloat& a, double lowest = -HUGE_VAL) {
  const double y = at(f, a.value);
  const double low = at(f, std::max(a.lo(), lowest)), high = at(f, a.hi());
  return {y, std::max(std::fabs(high - y), std::fabs(low - y))};
}

BoundedFloat quotient(const BoundedFloat& a, const BoundedFloat& b) {
  const double least = std::fabs(b.value) - b.error;
  if (!(least > 0)) return {a.value / b.value, HUGE_VAL};
  return {a.value / b.value, (a.error + std::fabs(a.value / b.value) * b.error) / least};
}

}  // namespace

double unit_roundoff(Type t) {
  switch (t.code) {
    case TypeCode::kFloat:
      return t.bits == 64 ? kDouble : t.bits == 32 ? 0x1p-24 : 0x1p-11;
    case TypeCode::kBFloat:
      return 0x1p-8;
    case TypeCode::kTFloat:
      return 0x1p-11;
    case TypeCode::kFloatE4M3:
      return 0x1p-4;
    case TypeCode::kFloatE5M2:
      return 0x1p-3;
    default:
      return 0;
  }
}

double least_positive(Type t) {
  switch (t.code) {
    case TypeCode::kFloat:
      return t.bits == 64 ? 0x1p-1074 : t.bits == 32 ? 0x1p-149 : 0x1p-24;
    case TypeCode::kBFloat:
      return 0x1p-133;
    case TypeCode::kTFloat:
      return 0x1p-136;
    case TypeCode::kFloatE4M3:
      return 0x1p-9;
    case TypeCode::kFloatE5M2:
      return 0x1p-16;
    default:
      return 0;
  }
}

bool BoundedFloat::contains(double y) const {
  if (std::isinf(error)) return true;
  return y == value || std::fabs(y - value) <= error;
}

BoundedFloat bounded_binary(ExprKind op, Type t, const BoundedFloat& a, const BoundedFloat& b) {
  const double both = a.error + b.error;
  switch (op) {
    case ExprKind::kAdd:
      if (stays_integer(t, a, b, a.value + b.value)) return {a.value + b.value, 0};
      return settled(a.value + b.value, both, t, 1);
    case ExprKind::kSub:
      if (stays_integer(t, a, b, a.value - b.value)) return {a.value - b.value, 0};
      return settled(a.value - b.value, both, t, 1);
    case ExprKind::kMul:
      if (stays_integer(t, a, b, a.value * b.value)) return {a.value * b.value, 0};
      return settled(
          a.value * b.value,
          std::fabs(a.value) * b.error + std::fabs(b.value) * a.error + a.error * b.error, t, 1);
    case ExprKind::kDiv: {
      const BoundedFloat q = quotient(a, b);
      return settled(q.value, q.error, t, 1);
    }
    case ExprKind::kMin:
      return {std::min(a.value, b.value), std::max(a.error, b.error)};
    case ExprKind::kMax:
      return {std::max(a.value, b.value), std::max(a.error, b.error)};
    default:
      TESSERA_UNREACHABLE();
  }
}

BoundedFloat bounded_intrinsic(Intrinsic f, Type t, const BoundedFloat& a, const BoundedFloat& b,
                               const BoundedFloat& c) {
  const auto function = [&](const BoundedFloat& r) {
    return settled(r.value, r.error, t, 2 * kFunctionUlps);
  };
  switch (f) {
    case Intrinsic::kAbs:
      return {std::fabs(a.value), a.error};
    case Intrinsic::kCeil:
    case Intrinsic::kFloor:
    case Intrinsic::kTrunc:
    case Intrinsic::kRound:
      return monotone(f, a);
    case Intrinsic::kExp:
    case Intrinsic::kExp2:
    case Intrinsic::kErf:
    case Intrinsic::kSigmoid:
    case Intrinsic::kTanh:
      return function(monotone(f, a));
    case Intrinsic::kLog:
    case Intrinsic::kLog2:
    case Intrinsic::kRsqrt:
      return a.lo() > 0 ? function(monotone(f, a)) : BoundedFloat{at(f, a.value), HUGE_VAL};
    case Intrinsic::kSqrt: {
      if (!(a.value >= 0)) return {at(f, a.value), HUGE_VAL};
      const BoundedFloat r = monotone(f, a, 0);
      return settled(r.value, r.error, t, 1);
    }
    case Intrinsic::kSin:
    case Intrinsic::kCos:  // slope at most 1
      return std::fabs(a.value) + a.error > 0x1p20 ? BoundedFloat{at(f, a.value), HUGE_VAL}
                                                   : function({at(f, a.value), a.error});
    case Intrinsic::kFma: {
      const double product =
          std::fabs(a.value) * b.error + std::fabs(b.value) * a.error + a.error * b.error;
      // Half a unit for the product too: a kernel may also do it in two steps.
      const double split =
          unit_roundoff(t) * (std::fabs(a.value * b.value) + product) + least_positive(t);
      return settled(std::fma(a.value, b.value, c.value), product + split + c.error, t, 1);
    }
    case Intrinsic::kPow: {
      if (!(a.lo() > 0))
        return {std::pow(a.value, b.value),
                a.error + b.error > 0 ? HUGE_VAL : function({std::pow(a.value, b.value), 0}).error};
      const double y = std::pow(a.value, b.value);
      double worst = 0;  // monotone in each argument, so the extremes are at the corners
      for (const double x : {a.lo(), a.hi()}) {
        for (const double e : {b.lo(), b.hi()})
          worst = std::max(worst, std::fabs(std::pow(x, e) - y));
      }
      return function({y, worst});
    }
    case Intrinsic::kFmod: {
      const double y = std::fmod(a.value, b.value);
      return a.error + b.error > 0 ? BoundedFloat{y, HUGE_VAL} : settled(y, 0, t, 1);
    }
    case Intrinsic::kIsFinite:
    case Intrinsic::kIsInf:
    case Intrinsic::kIsNan:
    case Intrinsic::kPopcount:
    case Intrinsic::kCount:
      break;
  }
  TESSERA_UNREACHABLE();
}

BoundedFloat bounded_round(Type t, const BoundedFloat& a) {
  return settled(a.value, a.error, t, 1);
}

Truth bounded_compare(ExprKind op, const BoundedFloat& a, const BoundedFloat& b) {
  const bool open =
      !(std::fabs(a.value - b.value) > a.error + b.error) && (a.error > 0 || b.error > 0);
  if (open) return Truth::kEither;
  return compare_float(op, a.value, b.value) ? Truth::kTrue : Truth::kFalse;
}

BoundedFloat bounded_either(const BoundedFloat& a, const BoundedFloat& b) {
  return {a.value, std::max(a.error, std::fabs(a.value - b.value) + b.error)};
}

void BoundedSum::add(const BoundedFloat& x) {
  // Neumaier's compensated sum: the reference loses nothing that the bound would have to cover.
  const double next = value_ + x.value;
  compensation_ += std::fabs(value_) >= std::fabs(x.value) ? (value_ - next) + x.value
                                                           : (x.value - next) + value_;
  value_ = next;
  magnitude_ += std::fabs(x.value) + x.error;
  errors_ += x.error;
  integers_ &= is_integer(x);
  ++count_;
}

BoundedFloat BoundedSum::result(Type t) const {
  const double value = value_ + compensation_;
  const double n = static_cast<double>(count_), nu = n * unit_roundoff(t);
  if (!std::isfinite(value)) return {value, HUGE_VAL};
  if (integers_ && magnitude_ <= 1 / unit_roundoff(t)) return {value, 0};
  const double error = errors_ + nu * magnitude_ + n * least_positive(t);
  if (std::isinf(round_to(magnitude_ + error, t))) return {value, HUGE_VAL};
  return {value, (error + 2 * kDouble * std::fabs(value) + n * n * kDouble * kDouble * magnitude_) *
                     (1 + 8 * n * kDouble)};
}

}  // namespace tessera::ir
