// Scalar semantics, tensors and error bounds.
#include "ir/arith.h"

#include <bit>
#include <cmath>
#include <set>

#include <gtest/gtest.h>

#include "ir/bounded.h"
#include "ir/tensor.h"
#include "support/rng.h"

namespace tessera::ir {
namespace {

TEST(Arith, SmallFloatsSurviveTheirBits) {
  for (const Type t : {f16, bf16, f8e4m3, f8e5m2}) {
    for (std::uint64_t bits = 0; bits < (std::uint64_t{1} << t.bits); ++bits) {
      const Scalar v = from_bits(bits, t);
      if (std::isnan(v.f)) {
        EXPECT_TRUE(std::isnan(from_bits(to_bits(v, t), t).f));
        continue;
      }
      ASSERT_EQ(to_bits(v, t), bits) << t << " " << v.f;
      ASSERT_EQ(round_to(v.f, t), v.f) << t << " " << bits;
    }
  }
  EXPECT_EQ(to_bits(Scalar{.f = 1.0}, f16), 0x3c00u);
  EXPECT_EQ(to_bits(Scalar{.f = 65504.0}, f16), 0x7bffu);
  EXPECT_EQ(to_bits(Scalar{.f = 1.0}, bf16), 0x3f80u);
  EXPECT_EQ(to_bits(Scalar{.f = 448.0}, f8e4m3), 0x7eu);
}

TEST(Arith, RoundingPicksTheNearestEven) {
  for (const Type t : {f16, bf16, f8e4m3, f8e5m2}) {
    const std::uint64_t count = std::uint64_t{1} << (t.bits - 1);  // the positive ones
    for (std::uint64_t bits = 0; bits + 1 < count; ++bits) {
      const double lo = from_bits(bits, t).f, hi = from_bits(bits + 1, t).f;
      if (!std::isfinite(lo) || !std::isfinite(hi)) break;
      const double middle = lo + (hi - lo) / 2;
      ASSERT_EQ(round_to(middle, t), bits % 2 == 0 ? lo : hi) << t << " " << bits;
      ASSERT_EQ(round_to(std::nextafter(middle, 0), t), lo);
      ASSERT_EQ(round_to(std::nextafter(middle, HUGE_VAL), t), hi);
      ASSERT_EQ(round_to(-middle, t), -round_to(middle, t));
    }
  }
}

TEST(Arith, FmaRoundsOnce) {
  Rng rng(3);
  for (int n = 0; n < 200000; ++n) {
    const auto pick = [&] { return std::bit_cast<float>(static_cast<std::uint32_t>(rng.next())); };
    float a = pick(), b = pick(), c = pick();
    if (rng.chance(0.7))
      c = static_cast<float>(-static_cast<double>(a) * b * (1 + rng.uniform() * 1e-7));  // cancels
    const float want = std::fmaf(a, b, c);
    const double got = apply_intrinsic(Intrinsic::kFma, f32, {.f = a}, {.f = b}, {.f = c}).f;
    if (std::isnan(want)) {
      ASSERT_TRUE(std::isnan(got));
    } else {
      ASSERT_EQ(got, want) << a << " " << b << " " << c;
    }
  }
}

TEST(Arith, FunctionsOfIntegers) {
  EXPECT_EQ(apply_intrinsic(Intrinsic::kAbs, i8, {.i = -128}, {}, {}).i, -128);
  EXPECT_EQ(apply_intrinsic(Intrinsic::kAbs, i32, {.i = -5}, {}, {}).i, 5);
  EXPECT_EQ(apply_intrinsic(Intrinsic::kPopcount, i8, {.i = -1}, {}, {}).i, 8);
  EXPECT_EQ(apply_intrinsic(Intrinsic::kRound, f32, {.f = 2.5}, {}, {}).f, 2);
  EXPECT_EQ(apply_intrinsic(Intrinsic::kIsInf, f32, {.f = HUGE_VAL}, {}, {}).i, 1);
  std::int64_t out = 0;
  EXPECT_TRUE(apply_int(ExprKind::kFloorDiv, i64, INT64_MIN, -1, out));
  EXPECT_EQ(out, INT64_MIN);
  EXPECT_FALSE(apply_int(ExprKind::kMod, i32, 1, 0, out));
  EXPECT_TRUE(apply_int(ExprKind::kDiv, u64, -1, 2, out));
  EXPECT_EQ(out, INT64_MAX);
}

TEST(Tensor, HoldsEveryDtype) {
  for (const Type t : {boolean, i4, i8, i16, i32, i64, u8, u16, u32, u64, f16, f32, f64, bf16, tf32,
                       f8e4m3, f8e5m2}) {
    Tensor x(t, {2, 3});
    EXPECT_EQ(x.size(), 6);
    EXPECT_EQ(static_cast<int>(x.bytes.size()), 6 * t.bytes());
    x.set(x.position({1, 2}), 1);
    EXPECT_EQ(x.get(5), 1) << t;
    EXPECT_EQ(x.get(4), 0) << t;
  }
  Tensor u(u64, {1});
  u.set_int(0, -1);
  EXPECT_EQ(u.get_int(0), -1);
  EXPECT_EQ(u.get(0), 0x1p64);
  EXPECT_THROW(Tensor(f32, {INT64_MAX, 4}), UserError);
  EXPECT_THROW(Tensor(f32, {-1}), UserError);
}

TEST(Tensor, FillsAreExactAndRepeat) {
  for (const Type t : {i8, u8, f16, bf16, f32, i32}) {
    Tensor x(t, {500}), y(t, {500}), z(t, {500});
    fill_small_integers(x, 7, 5);
    fill_small_integers(y, 7, 5);
    fill_small_integers(z, 8, 5);
    EXPECT_EQ(x, y);
    EXPECT_FALSE(x == z);
    std::set<double> seen;
    for (int i = 0; i < 500; ++i) seen.insert(x.get(i));
    EXPECT_EQ(seen.count(0), 0u);
    EXPECT_EQ(seen.size(), t.is_uint() ? 5u : 10u);
    EXPECT_EQ(*seen.rbegin(), 5);
  }
  Tensor r(f32, {500});
  fill_uniform(r, 1, -2, 3);
  for (int i = 0; i < 500; ++i) EXPECT_TRUE(r.get(i) >= -2 && r.get(i) <= 3);
}

TEST(Bounded, CoversSumsInAnyOrder) {
  for (std::uint64_t seed = 0; seed < 300; ++seed) {
    Rng rng(seed, {9});
    std::vector<float> a, b;
    BoundedSum bound;
    for (std::int64_t n = rng.between(1, 300); n > 0; --n) {
      a.push_back(static_cast<float>(rng.uniform() * 2 - 1));
      b.push_back(static_cast<float>(rng.uniform() * 1e3));
      bound.add(bounded_binary(ExprKind::kMul, f32, BoundedFloat::exact(a.back()),
                               BoundedFloat::exact(b.back())));
    }
    const BoundedFloat r = bound.result(f32);
    float forward = 0, fused = 0;
    for (std::size_t i = 0; i < a.size(); ++i) forward += a[i] * b[i];
    for (std::size_t i = a.size(); i-- > 0;) fused = std::fmaf(a[i], b[i], fused);
    float lanes[4] = {};
    for (std::size_t i = 0; i < a.size(); ++i) lanes[i % 4] += a[i] * b[i];
    ASSERT_TRUE(r.contains(forward)) << seed;
    ASSERT_TRUE(r.contains(fused)) << seed;
    ASSERT_TRUE(r.contains((lanes[0] + lanes[1]) + (lanes[2] + lanes[3]))) << seed;
    ASSERT_LT(r.error, 1e-4 * bound.magnitude() + 1e-30) << "the bound says something";
  }
}

// Past 2^24 terms the classic bound has no value; this one still has, and integers need none.
TEST(Bounded, SumsOfAnyLengthHaveABound) {
  BoundedSum ones, thirds;
  constexpr std::int64_t kTerms = (std::int64_t{1} << 24) + 5;
  for (std::int64_t i = 0; i < kTerms; ++i) {
    if (i < kTerms - 5) ones.add(BoundedFloat::exact(i % 2 == 0 ? 1 : -1));
    thirds.add(BoundedFloat::exact(1.0F / 3));
  }
  EXPECT_EQ(ones.result(f32).error, 0);
  float forward = 0;
  for (std::int64_t i = 0; i < kTerms; ++i) forward += 1.0F / 3;
  const BoundedFloat r = thirds.result(f32);
  EXPECT_TRUE(std::isfinite(r.error));
  EXPECT_TRUE(r.contains(forward)) << forward << " of " << r.value;
  ones.add(BoundedFloat::exact(1));  // one more than f32 counts to
  EXPECT_GT(ones.result(f32).error, 0);
}

TEST(Bounded, IntegersAreNotRounded) {
  const auto of = [](ExprKind op, double a, double b) { return bounded_binary(op, f32, BoundedFloat::exact(a), BoundedFloat::exact(b)).error; };
  EXPECT_EQ(of(ExprKind::kMul, 4096, 4096), 0);
  EXPECT_EQ(of(ExprKind::kAdd, 1 << 23, 1 << 23), 0);
  EXPECT_EQ(of(ExprKind::kSub, -5, 3), 0);
  EXPECT_GT(of(ExprKind::kMul, 4096, 4097), 0);
  EXPECT_GT(of(ExprKind::kMul, 0.5, 3), 0);
  EXPECT_GT(of(ExprKind::kDiv, 6, 3), 0);
}

TEST(Bounded, CoversFunctionsOfInexactArguments) {
  const Intrinsic functions[] = {
      Intrinsic::kExp, Intrinsic::kExp2,    Intrinsic::kLog,   Intrinsic::kLog2,  Intrinsic::kTanh,
      Intrinsic::kErf, Intrinsic::kSigmoid, Intrinsic::kSqrt,  Intrinsic::kRsqrt, Intrinsic::kSin,
      Intrinsic::kCos, Intrinsic::kAbs,     Intrinsic::kFloor, Intrinsic::kRound};
  Rng rng(11);
  for (const Intrinsic f : functions) {
    for (int n = 0; n < 3000; ++n) {
      const double v = static_cast<float>((rng.uniform() - 0.3) * 40),
                   e = rng.chance(0.3) ? 0 : rng.uniform() * 0.01;
      const BoundedFloat in{v, e}, r = bounded_intrinsic(f, f32, in);
      for (const double exact : {v - e, v, v + e, v + e * (rng.uniform() * 2 - 1)}) {
        const double at = static_cast<float>(exact);
        if (std::fabs(at - v) > e) continue;
        const double y = apply_intrinsic(f, f32, {.f = at}, {}, {}).f;
        ASSERT_TRUE(r.contains(y) || std::isnan(y))
            << static_cast<int>(f) << " at " << at << ": " << y << " not in " << r.value << " +- "
            << r.error;
      }
    }
  }
}

TEST(Bounded, OperationsAndOpenConditions) {
  Rng rng(12);
  for (const ExprKind op : {ExprKind::kAdd, ExprKind::kSub, ExprKind::kMul, ExprKind::kDiv,
                            ExprKind::kMin, ExprKind::kMax}) {
    for (int n = 0; n < 5000; ++n) {
      const BoundedFloat a{(rng.uniform() - 0.5) * 10, rng.uniform() * 0.1},
          b{(rng.uniform() - 0.5) * 10, rng.uniform() * 0.1};
      const BoundedFloat r = bounded_binary(op, f32, a, b);
      const double x = a.value + a.error * (rng.uniform() * 2 - 1),
                   y = b.value + b.error * (rng.uniform() * 2 - 1);
      ASSERT_TRUE(r.contains(apply_float(op, f32, x, y))) << kind_name(op);
    }
  }
  EXPECT_EQ(bounded_compare(ExprKind::kLT, {1, 0.1}, {1.3, 0.1}), Truth::kTrue);
  EXPECT_EQ(bounded_compare(ExprKind::kLT, {1, 0.2}, {1.3, 0.1}), Truth::kEither);
  EXPECT_EQ(bounded_compare(ExprKind::kEQ, {1, 0}, {1, 0}), Truth::kTrue);
  EXPECT_EQ(bounded_compare(ExprKind::kLE, {2, 0}, {1, 0}), Truth::kFalse);
  const BoundedFloat either = bounded_either({1, 0}, {3, 0.5});
  EXPECT_TRUE(either.contains(1) && either.contains(3.5));
  EXPECT_TRUE(std::isinf(bounded_binary(ExprKind::kDiv, f32, {1, 0}, {0.1, 0.2}).error));
  EXPECT_TRUE(std::isinf(bounded_binary(ExprKind::kAdd, f16, {65000, 0}, {1000, 0}).error));
  EXPECT_EQ(bounded_round(f32, BoundedFloat::exact(3)).value, 3);
}

}  // namespace
}  // namespace tessera::ir
