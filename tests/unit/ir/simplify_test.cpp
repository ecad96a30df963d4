// Every simplification against enumeration of the whole box it was made for.
#include "ir/simplify.h"

#include <gtest/gtest.h>

#include "ir/parse.h"
#include "ir/print.h"
#include "ir/rewrite.h"
#include "support/rng.h"
#include "tests/unit/ir/evaluate.h"

namespace tessera::ir {
namespace {

using testing::evaluate;
using testing::Point;
using testing::Range;

struct Box {
  std::vector<Range> ranges;
  Bounds bounds;
  explicit Box(std::vector<Range> r) : ranges(std::move(r)) {
    for (const Range& x : ranges) bounds[x.var.id()] = {x.lo, x.hi};
  }
};

/// Simplifies and compares at every point; gives the simplified expression.
Expr expect_same(const Expr& e, const Box& box) {
  const Expr s = simplify(e, box.bounds);
  const Interval range = range_of(e, box.bounds);
  bool wrong = false;
  for_each_point(box.ranges, [&](const Point& p) {
    if (wrong) return;
    const auto want = evaluate(e, p);
    if (!want) return;
    const auto got = evaluate(s, p);
    wrong = !got || *got != *want || !range.contains(*want);
    std::string at;
    for (const Range& r : box.ranges)
      at += " " + r.var.name() + "=" + std::to_string(p.at(r.var.id()));
    EXPECT_FALSE(wrong) << to_string(e) << "  ->  " << to_string(s) << "  at" << at << ": " << *want
                        << " became " << (got ? std::to_string(*got) : "undefined") << ", range ["
                        << range.lo << ", " << range.hi << "]";
  });
  return s;
}

const Var i = Var::fresh("i"), j = Var::fresh("j"), k = Var::fresh("k");

/// Parses with i, j, k in scope.
Expr text(const std::string& t) {
  ExprScope scope;
  scope.variable = [](const std::string& n) {
    return n == "i" ? Expr(i) : n == "j" ? Expr(j) : n == "k" ? Expr(k) : Expr();
  };
  return parse_expr(t, scope).or_throw();
}

TEST(Simplify, DivisionAndRemainderOfLinearForms) {
  for (const auto& [ilo, ihi, jlo, jhi] : {std::array<int, 4>{0, 5, 0, 3},
                                           {-4, 3, 0, 2},
                                           {-3, 3, -2, 2},
                                           {0, 0, 0, 7},
                                           {2, 6, -1, 1}}) {
    const Box box({{i, ilo, ihi}, {j, jlo, jhi}});
    for (const int c : {1, 2, 3, 4, 6, 8}) {
      for (const int a : {-4, -3, -1, 0, 1, 2, 3, 4, 8, 12}) {
        for (const int b : {-3, -1, 0, 1, 2, 4, 6}) {
          for (const int d : {-7, -1, 0, 1, 3, 5, 8}) {
            const Expr x = i * a + j * b + d;
            expect_same(floordiv(x, c), box);
            expect_same(floormod(x, c), box);
            expect_same(floordiv(x, c) * c + floormod(x, c), box);
            expect_same(floordiv(x, c) * (2 * c) + floormod(x, c) * 2 + i, box);
            expect_same(floordiv(x, c) * (2 * c) + floormod(x, c), box);  // not a pair
            expect_same(floordiv(floordiv(x, c), 3), box);
            expect_same(floormod(floormod(x, c * 2), c), box);
            expect_same(floordiv(floormod(x, c * 2), c) * c + floormod(x, c), box);
            expect_same(floordiv(floormod(x, c * 3), c) * (2 * c) + floormod(x, c) * 2 + i, box);
            expect_same(floordiv(floormod(x, c * 2 + 1), c) * c + floormod(x, c), box);  // not a pair
          }
        }
      }
    }
  }
}

TEST(Simplify, BlocksInsideOfDivisors) {
  // (g*y + r) // (g*c) and % with r inside, at the edge of and outside [0, g); also with two coefficients
  // that only together share g.
  for (const auto& [rlo, rhi] : {std::array<int, 2>{0, 3}, {0, 4}, {-1, 3}, {2, 5}, {-4, -1}, {0, 7}, {1, 11}}) {
    const Box box({{i, -3, 4}, {j, rlo, rhi}, {k, -1, 2}});
    for (const int g : {2, 3, 4, 8, 12}) {
      for (const int c : {1, 3}) {
        for (const int d : {-9, -1, 0, 3, 4}) {
          for (const Expr& x : {i * g + j + d, i * g - j + d, i * g + k * (2 * g) + j + d,
                                i * (2 * g) + k * (3 * g) + j + d, j * g + i * 6 + k + d}) {
            expect_same(floordiv(x, g * c), box);
            expect_same(floormod(x, g * c), box);
            expect_same(floordiv(floormod(x, g * c), g), box);
            expect_same(floordiv(x, g * c) * (g * c) + floormod(x, g * c), box);
          }
        }
      }
    }
  }
}

TEST(Simplify, ComparisonsOfBlocks) {
  // g*x + r < g*y with r inside, at the edge of and outside [0, g), on either side.
  for (const auto& [rlo, rhi] : {std::array<int, 2>{0, 3}, {0, 4}, {-1, 3}, {1, 2}, {-3, 0}, {-4, -1}, {5, 6}}) {
    const Box box({{i, -3, 3}, {j, rlo, rhi}, {k, -2, 4}});
    for (const int g : {2, 3, 4}) {
      for (const int m : {-1, 1, 2}) {
        for (const int d : {-4, -1, 0, 1, 3}) {
          for (const ExprKind op : {ExprKind::kLT, ExprKind::kLE, ExprKind::kEQ, ExprKind::kNE}) {
            expect_same(make_binary(op, i * g + j, k * (g * m) + d), box);
            expect_same(make_binary(op, k * (g * m) + d, i * g + j), box);
            expect_same(!make_binary(op, i * g - j + d, k * (g * m)), box);
            expect_same(make_binary(op, floordiv(i, 2) * g + j, k * (g * m) + d), box);
          }
        }
      }
    }
  }
}

TEST(Simplify, ComparisonsOfBlocksNearTheLimits) {
  // Sides that only fit together, and what must not be taken off a side that is at its limit.
  const Bounds bounds{{j.id(), {0, 3}}};
  const std::int64_t quarter = std::int64_t{1} << 61;
  for (const std::int64_t c : {INT64_MIN, INT64_MIN + 1, -quarter, quarter, INT64_MAX - 1, INT64_MAX}) {
    for (const Expr& e : {int_imm(c) < i * 4 - j, i * 4 - j < int_imm(c), i * 4 + j < int_imm(c), int_imm(c) < i * 4 + j}) {
      const Expr s = simplify(e, bounds);
      for (const std::int64_t x : {std::int64_t{-3}, std::int64_t{0}, std::int64_t{5}, -quarter + 4, quarter - 4}) {
        for (std::int64_t y = 0; y <= 3; ++y) {
          const Point p{{i.id(), x}, {j.id(), y}};
          EXPECT_EQ(evaluate(e, p), evaluate(s, p)) << e << " -> " << s << " at i=" << x << " j=" << y;
        }
      }
    }
  }
}

TEST(Simplify, TruncatingAndNegativeDivisors) {
  const Box box({{i, -6, 6}, {j, -3, 3}});
  for (const int c : {-4, -3, -1, 0, 2, 3}) {
    for (const int a : {-2, 1, 3, 6}) {
      for (const int d : {-5, 0, 4}) {
        const Expr x = i * a + j + d;
        expect_same(floordiv(x, c), box);
        expect_same(floormod(x, c), box);
        expect_same(floordiv(x, c) * c + floormod(x, c), box);
        expect_same(x / c, box);
        expect_same(truncmod(x, c), box);
      }
    }
  }
}

TEST(Simplify, ExtremaComparisonsAndChoices) {
  const Box box({{i, -2, 5}, {j, 0, 4}});
  const Exprs sides{i * 1,      j * 2,        i + j,          i * 4 - 3,
                    int_imm(4), 10 - i * 4,   floordiv(i, 3), floormod(i + j, 3),
                    min(i, j),  max(i - 1, j)};
  for (const Expr& x : sides) {
    for (const Expr& y : sides) {
      expect_same(min(x, y), box);
      expect_same(max(x, y), box);
      expect_same(max(min(x, y), x), box);
      for (const ExprKind op : {ExprKind::kLT, ExprKind::kLE, ExprKind::kEQ, ExprKind::kNE}) {
        const Expr c = make_binary(op, x, y);
        expect_same(c, box);
        expect_same(!c, box);
        expect_same(c && i < 3, box);
        expect_same(c || j <= 4, box);
        expect_same(select(c, x, y), box);
        expect_same(if_then_else(c, x + 1, y - 1), box);
      }
    }
  }
}

TEST(Simplify, BitOperations) {
  const Box box({{i, 0, 9}, {j, 0, 5}});
  for (const int s : {0, 1, 3}) {
    const Expr x = i * 3 + j;
    for (const ExprKind op : {ExprKind::kBitAnd, ExprKind::kBitOr, ExprKind::kBitXor,
                              ExprKind::kShiftLeft, ExprKind::kShiftRight}) {
      expect_same(make_binary(op, x, int_imm(s)), box);
      expect_same(floordiv(make_binary(op, x, int_imm(s)), 2), box);
    }
  }
}

Expr random_condition(Rng& rng, int depth);

Expr random_index(Rng& rng, int depth) {
  if (depth == 0 || rng.chance(0.15)) {
    if (rng.chance(0.3)) return int_imm(rng.between(-9, 9));
    return rng.pick(std::vector<Var>{i, j, k});
  }
  const Expr a = random_index(rng, depth - 1);
  const auto constant = [&] { return int_imm(rng.between(1, 9)); };
  switch (rng.below(12)) {
    case 0:
    case 1:
      return a + random_index(rng, depth - 1);
    case 2:
      return a - random_index(rng, depth - 1);
    case 3:
      return a * int_imm(rng.between(-4, 8));
    case 4:
    case 5:
      return floordiv(a, constant());
    case 6:
    case 7:
      return floormod(a, constant());
    case 8:
      return min(a, random_index(rng, depth - 1));
    case 9:
      return max(a, random_index(rng, depth - 1));
    case 10:
      return select(random_condition(rng, depth - 1), a, random_index(rng, depth - 1));
    default: {
      const Expr c = constant();
      return floordiv(a, c) * c + floormod(a, c);
    }
  }
}

Expr random_condition(Rng& rng, int depth) {
  const Expr a = random_index(rng, depth), b = random_index(rng, depth > 0 ? depth - 1 : 0);
  const Expr c = make_binary(
      rng.pick(std::vector<ExprKind>{ExprKind::kLT, ExprKind::kLE, ExprKind::kEQ, ExprKind::kNE}),
      a, b);
  if (depth == 0 || rng.chance(0.6)) return c;
  const Expr d = random_condition(rng, depth - 1);
  return rng.chance(0.3) ? !c : rng.chance(0.5) ? c && d : c || d;
}

TEST(Simplify, RandomExpressionsAgreeEverywhere) {
  for (std::uint64_t seed = 0; seed < 4000; ++seed) {
    Rng rng(seed, {77});
    const auto range = [&](const Var& v) {
      const std::int64_t lo = rng.between(-5, 3);
      return Range{v, lo, lo + rng.between(0, 6)};
    };
    const Box box({range(i), range(j), range(k)});
    const int depth = static_cast<int>(rng.between(1, 4));
    const Expr e = rng.chance(0.7) ? random_index(rng, depth) : random_condition(rng, depth);
    expect_same(e, box);
    if (HasFailure()) FAIL() << "seed " << seed;
  }
}

TEST(Simplify, UnboundedVariables) {
  const std::vector<Range> wide{{i, -9, 9}, {j, -9, 9}};
  for (std::uint64_t seed = 0; seed < 500; ++seed) {
    Rng rng(seed, {78});
    const Expr e = substitute(random_index(rng, 3), k, j);
    const Expr s = simplify(e);
    for_each_point(wide, [&](const Point& p) {
      ASSERT_EQ(evaluate(e, p), evaluate(s, p)) << e << " -> " << s;
    });
  }
}

TEST(Simplify, KeepsFloatingPointBitForBit) {
  const Buffer a = Buffer::fresh("A", f32, {8});
  const Expr e = a.load({floordiv(i * 4, 4)}) + a.load({j}) * 2.0 - a.load({j}) * 2.0;
  EXPECT_EQ(to_string(simplify(e)), "A[i] + A[j] * 2.0 - A[j] * 2.0");
}

TEST(Simplify, GivesTheFormsThatItPromises) {
  const Bounds b{{i.id(), {0, 1}}, {j.id(), {0, 3}}};
  EXPECT_EQ(to_string(simplify(text("(i * 4 + j) // 4"), b)), "i");
  EXPECT_EQ(to_string(simplify(text("(i * 4 + j) % 4"), b)), "j");
  EXPECT_EQ(to_string(simplify(text("(k * 4 + j) // 12"), b)), "k // 3");
  EXPECT_EQ(to_string(simplify(text("(k * 4 + j) % 12"), b)), "k % 3 * 4 + j");
  EXPECT_EQ(to_string(simplify(text("(k * 4 + j + 4) // 12"), b)), "(k + 1) // 3");
  EXPECT_EQ(to_string(simplify(text("(k * 4 + j * 2) // 12"), b)), "(k * 2 + j) // 6");
  EXPECT_EQ(to_string(simplify(text("k * 8 + j < i * 16"), b)), "k * 8 < i * 16");
  EXPECT_EQ(to_string(simplify(text("k * 8 < i * 16 - j"), b)), "k * 8 < i * 16");
  EXPECT_EQ(to_string(simplify(text("min(4, 10 - i * 4)"), b)), "4");
  EXPECT_EQ(to_string(simplify(text("(k // 7) * 7 + k % 7"))), "k");
  EXPECT_EQ(to_string(simplify(text("(k % 8 // 2) * 32 + k % 2 * 16"))), "k % 8 * 16");
  EXPECT_EQ(to_string(simplify(text("(k % 9 // 2) * 2 + k % 2"))), "k % 9 // 2 * 2 + k % 2");
  EXPECT_EQ(to_string(simplify(text("(k * 6 + 3) // 4"))), "(k * 3 + 1) // 2");
  EXPECT_EQ(to_string(simplify(text("k - (i + k)"))), "i * -1");
  EXPECT_TRUE(proves(text("i * 4 + j < 8"), b));
  EXPECT_FALSE(proves(text("i * 4 + j < 7"), b));
}

TEST(Simplify, Statements) {
  const Buffer a = Buffer::fresh("A", i64, {8});
  const auto store = [&](const Expr& at) { return make_stmt<Store>(a, Exprs{at}, int_imm(1)); };
  const auto loop = [&](const Var& v, const Expr& n, const Stmt& body) {
    return make_stmt<For>(v, int_imm(0), n, ForKind::kSerial, body);
  };
  EXPECT_EQ(to_string(simplify(loop(i, int_imm(1), store(i + 2)))), "A[2] = 1\n");
  EXPECT_EQ(to_string(simplify(loop(i, int_imm(0), store(i)))), "");
  EXPECT_EQ(
      to_string(simplify(loop(i, int_imm(4), make_stmt<IfThenElse>(i < 4, store(floordiv(i, 4)))))),
      "for i in 0..4 {\n  A[0] = 1\n}\n");
  EXPECT_EQ(to_string(simplify(loop(i, int_imm(4), make_stmt<IfThenElse>(i >= 4, store(i))))), "");
  EXPECT_EQ(
      to_string(simplify(loop(i, int_imm(4), make_stmt<IfThenElse>(i < 2, block({}), store(i))))),
      "for i in 0..4 {\n  if !(i < 2) {\n    A[i] = 1\n  }\n}\n");
}

TEST(Simplify, HugeConstantsDoNotTrap) {
  for (const std::int64_t c : {INT64_MAX, INT64_MIN, std::int64_t{1} << 62}) {
    simplify(i * int_imm(c) + j * int_imm(c) + int_imm(c));
    simplify(floordiv(i * int_imm(c) + int_imm(c), 3));
    simplify((i + int_imm(c)) * int_imm(c) - int_imm(c));
    simplify(floormod(i, int_imm(c)) < int_imm(c));
  }
}

}  // namespace
}  // namespace tessera::ir
