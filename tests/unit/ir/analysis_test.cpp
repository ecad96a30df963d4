// Intervals and affine sums, by enumeration.
#include "ir/analysis/affine.h"
#include "ir/analysis/interval.h"

#include <gtest/gtest.h>

#include "ir/print.h"
#include "support/rng.h"
#include "tests/unit/ir/evaluate.h"

namespace tessera::ir {
namespace {

using testing::evaluate;
using testing::for_each_point;
using testing::Point;
using testing::Range;

const Var i = Var::fresh("i"), j = Var::fresh("j");

TEST(Interval, ContainsEveryValueOfEveryOperation) {
  using Apply = Interval (*)(const Interval&, const Interval&);
  const std::tuple<ExprKind, Apply> table[] = {{ExprKind::kAdd, operator+ },
                                                {ExprKind::kSub, operator- },
                                                 {ExprKind::kMul, operator* },
                                                  {ExprKind::kFloorDiv, floordiv},
                                                  {ExprKind::kFloorMod, floormod},
                                                  {ExprKind::kMin, min},
                                                  {ExprKind::kMax, max}};
  for (std::int64_t alo = -5; alo <= 5; ++alo) {
    for (std::int64_t ahi = alo; ahi <= 5; ++ahi) {
      for (std::int64_t blo = -4; blo <= 4; ++blo) {
        for (std::int64_t bhi = blo; bhi <= 4; ++bhi) {
          for (const auto& [op, f] : table) {
            const Interval r = f({alo, ahi}, {blo, bhi});
            const Expr e = make_binary(op, i, j);
            const Interval whole = range_of(e, {{i.id(), {alo, ahi}}, {j.id(), {blo, bhi}}});
            std::int64_t lowest = INT64_MAX, highest = INT64_MIN;
            for_each_point(std::vector<Range>{{i, alo, ahi}, {j, blo, bhi}}, [&](const Point& p) {
              const auto v = evaluate(e, p);
              if (!v) return;
              lowest = std::min(lowest, *v);
              highest = std::max(highest, *v);
            });
            if (lowest > highest) continue;
            ASSERT_TRUE(r.contains(lowest) && r.contains(highest) && whole.contains(lowest) &&
                        whole.contains(highest))
                << e << " [" << alo << "," << ahi << "] [" << blo << "," << bhi << "]";
            const bool exact = op != ExprKind::kFloorMod && op != ExprKind::kFloorDiv;
            ASSERT_TRUE(!exact || (r.lo == lowest && r.hi == highest)) << e;
          }
        }
      }
    }
  }
}

TEST(Interval, BitsOfNonNegativeValues) {
  for (const ExprKind op : {ExprKind::kBitOr, ExprKind::kBitXor}) {
    const Expr e = make_binary(op, i, j);
    for (std::int64_t a = 0; a <= 20; ++a) {
      for (std::int64_t b = 0; b <= 20; ++b) {
        const Interval r = range_of(e, {{i.id(), {a / 2, a}}, {j.id(), {b / 2, b}}});
        for_each_point(std::vector<Range>{{i, a / 2, a}, {j, b / 2, b}}, [&](const Point& p) { ASSERT_TRUE(r.contains(*evaluate(e, p))) << e; });
        ASSERT_LE(r.hi, 2 * std::max(a, b)) << e;
      }
    }
    EXPECT_EQ(range_of(e, {{i.id(), {0, 7}}, {j.id(), {0, 5}}}), (Interval{0, 7}));
    EXPECT_EQ(range_of(e, {{i.id(), {-1, 7}}, {j.id(), {0, 5}}}), Interval::all());
    EXPECT_EQ(range_of(e, {{i.id(), {0, 7}}}), Interval::all());
  }
}

TEST(Interval, UnboundedEndsStayUnbounded) {
  const Interval all = Interval::all(), from{0, Interval::kInf};
  EXPECT_EQ(all + Interval::point(5), all);
  EXPECT_EQ(all - all, all);
  EXPECT_EQ(from + from, from);
  EXPECT_EQ(from * Interval::point(3), from);
  EXPECT_EQ(from * Interval::point(-1), (Interval{-Interval::kInf, 0}));
  EXPECT_EQ(floormod(all, Interval::point(8)), (Interval{0, 7}));
  EXPECT_EQ(floordiv(from, Interval::point(8)), from);
  EXPECT_EQ(floordiv(Interval{0, 8}, Interval{-1, 1}), all);
  EXPECT_FALSE((Interval{0, Interval::kInf - 1} * Interval::point(8)).is_bounded());
}

TEST(Interval, NarrowTypesWrap) {
  const Var n = Var::fresh("n", u8), m = Var::fresh("m", i32);
  EXPECT_EQ(range_of(n, {}), (Interval{0, 255}));
  EXPECT_EQ(range_of(n + n, {}), (Interval{0, 255}));
  EXPECT_EQ(range_of(n - n, {}), (Interval{0, 255}));
  EXPECT_EQ(range_of(cast(i64, n) * 2, {}), (Interval{0, 510}));
  EXPECT_EQ(range_of(cast(u8, m), {}), (Interval{0, 255}));
  EXPECT_EQ(range_of(cast(u8, m), {{m.id(), {3, 9}}}), (Interval{3, 9}));
  EXPECT_EQ(range_of(ramp(i, 2, 4), {{i.id(), {1, 3}}}), (Interval{1, 9}));
}

TEST(Affine, SumsEvaluateLikeTheirExpressions) {
  const std::vector<Range> box{{i, -4, 4}, {j, -3, 3}};
  for (std::uint64_t seed = 0; seed < 1000; ++seed) {
    Rng rng(seed, {4});
    Expr e = int_imm(rng.between(-3, 3));
    for (std::int64_t n = rng.between(1, 5); n > 0; --n) {
      const Expr atom = rng.pick(Exprs{i, j, i + j, i - 2 * j, floordiv(i, 2), min(i, j), i * j});
      const Expr scaled = atom * int_imm(rng.between(-3, 3));
      e = rng.chance(0.5) ? e + scaled : e - scaled;
    }
    const AffineSum s = affine_sum(e);
    const Expr back = s.expr();
    const Interval r = s.range({{i.id(), {-4, 4}}, {j.id(), {-3, 3}}});
    for_each_point(box, [&](const Point& p) {
      ASSERT_EQ(evaluate(e, p), evaluate(back, p)) << e << " -> " << back;
      ASSERT_TRUE(r.contains(*evaluate(e, p))) << e;
    });
    for (const Term& t : s.terms) EXPECT_NE(t.coefficient, 0);
  }
  EXPECT_EQ(to_string(affine_sum(i * 2 + j - i * 2).expr()), "j");
  EXPECT_EQ(to_string(affine_sum(3 - i).expr()), "3 - i");
  EXPECT_EQ(to_string(affine_sum(j - i - 3).expr()), "j - i - 3");
  EXPECT_EQ(affine_sum(i * 6 + j).coefficient_of(i.id()), 6);
}

TEST(Affine, SplitLinear) {
  std::int64_t c = 0;
  Expr rest;
  ASSERT_TRUE(split_linear((i + j) * 3 + i - 1, i.id(), c, rest));
  EXPECT_EQ(c, 4);
  EXPECT_EQ(to_string(rest), "j * 3 - 1");
  EXPECT_FALSE(split_linear(floordiv(i, 2) + j, i.id(), c, rest));
  EXPECT_FALSE(split_linear(i * i, i.id(), c, rest));
  ASSERT_TRUE(split_linear(j + 2, i.id(), c, rest));
  EXPECT_EQ(c, 0);
}

}  // namespace
}  // namespace tessera::ir
