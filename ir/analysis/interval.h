// Integer intervals [lo, hi], ends included, either may be infinite; and the numeric range of an
// index expression given the ranges of its variables.
#pragma once

#include <cstdint>
#include <map>

#include "ir/expr.h"

namespace tessera::ir {

struct Interval {
  // Infinite ends saturate here; arithmetic on them stays infinite.
  static constexpr std::int64_t kInf = std::int64_t{1} << 62;
  std::int64_t lo = -kInf;
  std::int64_t hi = kInf;

  static Interval point(std::int64_t v) { return {v, v}; }
  static Interval all() { return {}; }
  bool is_point() const { return lo == hi; }
  bool is_bounded() const { return lo > -kInf && hi < kInf; }
  bool contains(std::int64_t v) const { return lo <= v && v <= hi; }
  bool operator==(const Interval&) const = default;
};

Interval operator+(const Interval& a, const Interval& b);
Interval operator-(const Interval& a, const Interval& b);
Interval operator*(const Interval& a, const Interval& b);
Interval floordiv(const Interval& a, const Interval& b);
Interval floormod(const Interval& a, const Interval& b);
Interval min(const Interval& a, const Interval& b);
Interval max(const Interval& a, const Interval& b);
Interval hull(const Interval& a, const Interval& b);

using Bounds = std::map<VarId, Interval>;

/// A range that contains every value `e` takes; never smaller than exact. Booleans are 0 or 1.
Interval range_of(const Expr& e, const Bounds& bounds);

}  // namespace tessera::ir
