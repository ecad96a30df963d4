// Construction: folding, typing, hashes.
#include "ir/expr.h"

#include <cmath>

#include <gtest/gtest.h>

#include "ir/arith.h"
#include "ir/intrinsics.h"
#include "ir/print.h"
#include "ir/rewrite.h"

namespace tessera::ir {
namespace {

const Var i = Var::fresh("i"), j = Var::fresh("j"), x = Var::fresh("x", f32),
          b = Var::fresh("b", boolean);

TEST(Expr, FoldingAgreesWithTheScalarSemantics) {
  const std::vector<std::int64_t> values{
      INT64_MIN, INT64_MAX, -129, -128, -7, -2, -1, 0, 1, 2, 3, 7, 8, 31, 127, 255, 256, 65535};
  const ExprKind kinds[] = {ExprKind::kAdd,      ExprKind::kSub,       ExprKind::kMul,
                            ExprKind::kDiv,      ExprKind::kMod,       ExprKind::kFloorDiv,
                            ExprKind::kFloorMod, ExprKind::kMin,       ExprKind::kMax,
                            ExprKind::kEQ,       ExprKind::kNE,        ExprKind::kLT,
                            ExprKind::kLE,       ExprKind::kBitAnd,    ExprKind::kBitOr,
                            ExprKind::kBitXor,   ExprKind::kShiftLeft, ExprKind::kShiftRight};
  for (const Type t : {i4, i8, i16, i32, i64, u8, u16, u32, u64}) {
    for (const std::int64_t p : values) {
      for (const std::int64_t q : values) {
        for (const ExprKind k : kinds) {
          const Expr e = make_binary(k, int_imm(p, t), int_imm(q, t));
          std::int64_t folded = 0, want = 0;
          if (!is_const_int(e, &folded)) continue;
          ASSERT_TRUE(apply_int(k, t, wrap_int(p, t), wrap_int(q, t), want)) << e;
          EXPECT_EQ(folded, want) << kind_name(k) << " of " << t << " " << p << ", " << q;
        }
      }
    }
  }
}

TEST(Expr, IdentitiesAndLiterals) {
  EXPECT_TRUE((i + 0).same_as(i));
  EXPECT_TRUE((i * 1).same_as(i));
  EXPECT_TRUE(is_zero(i * 0));
  EXPECT_TRUE((x * 1.0).same_as(x));
  EXPECT_EQ(to_string(x + 0.0), "x + 0.0");  // -0 + 0 is 0
  EXPECT_EQ(to_string(x * 0.0), "x * 0.0");  // NaN
  EXPECT_EQ((x + 1).type(), f32);
  EXPECT_EQ((Expr(2) * x).type(), f32);
  EXPECT_EQ((Expr(1) + Expr(2.5)).type(), f32);
  EXPECT_TRUE((b && bool_imm(true)).same_as(b));
  EXPECT_TRUE(is_false(b && bool_imm(false)));
  EXPECT_TRUE((!!b).same_as(b));
  EXPECT_EQ((ramp(i, 1, 8) + j).type(), i64.with_lanes(8));
  EXPECT_EQ((ramp(i, 1, 8) < 3).type(), boolean.with_lanes(8));
  EXPECT_EQ(call_intrinsic(Intrinsic::kPow, {x, Expr(2)}).type(), f32);
}

TEST(Expr, TypeErrorsSayToCast) {
  const auto refused = [](auto f, const char* word) {
    try {
      f();
      ADD_FAILURE() << "no error with " << word;
    } catch (const UserError& e) {
      EXPECT_NE(std::string(e.what()).find(word), std::string::npos) << e.what();
    }
  };
  const Var d = Var::fresh("d", f64), n = Var::fresh("n", i8);
  refused([&] { x + i; }, "cast(f32, ...)");
  refused([&] { x + d; }, "different types");
  refused([&] { n + 300; }, "different types");
  refused([&] { i + 1.5; }, "different types");
  refused([&] { x&& b; }, "different types");
  refused([&] { x&& x; }, "needs bool operands");
  refused([&] { floordiv(x, x); }, "needs integer operands");
  refused([&] { b + b; }, "does not take bool");
  refused([&] { !i; }, "needs a bool operand");
  refused([&] { select(i, x, x); }, "not bool");
  refused([&] { ramp(i, 1, 4) + ramp(i, 1, 8); }, "lanes");
  refused([&] { select(ramp(i, 1, 4) < 2, ramp(i, 1, 8), Expr(0)); }, "lanes");
  refused([&] { i + Expr(); }, "undefined");
  refused([&] { reinterpret(f64, x); }, "width");
  refused([&] { exp(i); }, "cast to f32");
  refused([&] { call_intrinsic(Intrinsic::kFma, {x, x}); }, "takes 3 arguments");
}

TEST(Expr, HashesFollowStructure) {
  EXPECT_EQ((i * 4 + j).hash(), (i * 4 + j).hash());
  EXPECT_TRUE(equal(i * 4 + j, i * 4 + j));
  EXPECT_NE((i * 4 + j).hash(), (j * 4 + i).hash());
  EXPECT_NE((i + j).hash(), (i - j).hash());
  EXPECT_NE(int_imm(1, i32).hash(), int_imm(1, i64).hash());
  EXPECT_NE(float_imm(0.0).hash(), float_imm(-0.0).hash());
  EXPECT_FALSE(equal(float_imm(0.0), float_imm(-0.0)));
  EXPECT_TRUE(equal(float_imm(std::nan("")), float_imm(std::nan(""))));
  EXPECT_NE(cast(i8, x).hash(), saturating_cast(i8, x).hash());
  const Expr c = i < j;
  EXPECT_NE(select(c, i, j).hash(), select(c, j, i).hash());
}

TEST(Expr, AlphaEqualityIsOneToOne) {
  EXPECT_TRUE(alpha_equal(i + j, j + i));
  EXPECT_EQ(alpha_hash(i + j), alpha_hash(j + i));
  EXPECT_FALSE(alpha_equal(i + j, i + i));
  EXPECT_FALSE(alpha_equal(i + i, i + j));
  EXPECT_NE(alpha_hash(i + j), alpha_hash(i + i));
  EXPECT_FALSE(alpha_equal(i + j, x + x));
  const Buffer p = Buffer::fresh("p", f32, {4}), q = Buffer::fresh("q", f32, {4}),
               r = Buffer::fresh("r", f32, {5});
  EXPECT_TRUE(alpha_equal(p.load({i}) + q.load({j}), q.load({j}) + p.load({i})));
  EXPECT_FALSE(alpha_equal(p.load({i}) + q.load({i}), p.load({i}) + p.load({i})));
  EXPECT_FALSE(alpha_equal(p.load({i}), r.load({i})));
  // Shared subtrees do not make the walk exponential.
  Expr e = i, f = j;
  for (int n = 0; n < 60; ++n) {
    e = e * e + 1;
    f = f * f + 1;
  }
  EXPECT_TRUE(alpha_equal(e, f));
  EXPECT_EQ(alpha_hash(e), alpha_hash(f));
}

TEST(Expr, CastsOfConstantsAgreeWithTheScalarSemantics) {
  const Type types[] = {boolean, i8, i32, i64, u8, u32, u64, f16, bf16, f32, f64};
  for (const Type from : types) {
    for (const double v : {-1e30, -3e9, -129.0, -2.5, -1.5, -0.5, 0.0, 0.5, 1.5, 2.5, 127.5, 200.0,
                           70000.0, 3e9, 1e30}) {
      if (!from.is_float() && (v != std::trunc(v) || std::fabs(v) > 1e18)) continue;
      const Expr c =
          from.is_float() ? float_imm(v, from) : int_imm(static_cast<std::int64_t>(v), from);
      for (const Type to : types) {
        for (const CastMode mode : {CastMode::kWrap, CastMode::kSaturate, CastMode::kRound}) {
          const Expr e = mode == CastMode::kWrap       ? cast(to, c)
                         : mode == CastMode::kSaturate ? saturating_cast(to, c)
                                                       : rounding_cast(to, c);
          const Scalar in = from.is_float() ? Scalar{.f = c.as<FloatImm>()->value}
                                            : Scalar{.i = c.as<IntImm>()->value};
          const Scalar want = convert(in, from, to, mode);
          const auto* n = e.as<IntImm>();
          const auto* f = e.as<FloatImm>();
          EXPECT_TRUE(n == nullptr || n->value == want.i)
              << c << " to " << to << " mode " << static_cast<int>(mode);
          EXPECT_TRUE(f == nullptr || f->value == want.f) << c << " to " << to;
        }
      }
    }
  }
}

TEST(Rewrite, MapsChildrenAndKeepsWhatDoesNotChange) {
  const Expr e = select(i < j, i * 3, floordiv(j, 2));
  EXPECT_TRUE(
      rewrite(e, [](const FloorMod&, const Expr& n, const ExprFn&) { return n; }).same_as(e));
  EXPECT_EQ(to_string(substitute(e, i, j + 1)), "select(j + 1 < j, (j + 1) * 3, j // 2)");
  EXPECT_TRUE(uses_var(e, i.id()));
  EXPECT_FALSE(uses_var(e, x.id()));
  EXPECT_EQ(free_vars(e).size(), 2u);
}

}  // namespace
}  // namespace tessera::ir
