// The algebra on numbered variables gives the sums that ir::simplify gives, term by term.
#include "schedule/detail/index_algebra.h"

#include <gtest/gtest.h>

#include "ir/analysis/affine.h"
#include "ir/print.h"
#include "ir/rewrite.h"
#include "ir/simplify.h"
#include "support/rng.h"

namespace tessera::schedule::detail {
namespace {

constexpr int kVariables = 4;

/// The same expression twice; each node of the tree is simplified once it is built.
struct Pair {
  ir::Expr expr;
  IndexSum sum;
};

class Expressions {
 public:
  explicit Expressions(std::uint64_t seed) : rng_(seed) {
    algebra.begin(kVariables);
    for (int v = 0; v < kVariables; ++v) {
      variables.push_back(ir::Var::fresh("v" + std::to_string(v)));
      const std::int64_t extent = 1 + rng_.below(12);
      bounds[variables.back().id()] = {0, extent - 1};
      algebra.bound(v, 0, extent - 1);
    }
  }

  Pair make(int depth) {
    if (depth == 0) {
      const auto v = static_cast<int>(rng_.below(kVariables));
      return {ir::simplify(variables[static_cast<std::size_t>(v)], bounds), algebra.variable(v)};
    }
    Pair a = make(depth - 1);
    const std::int64_t c = 1 + rng_.below(9);
    switch (rng_.below(5)) {
      case 0: return {ir::simplify(ir::floordiv(a.expr, ir::int_imm(c)), bounds), algebra.divide(a.sum, c)};
      case 1: return {ir::simplify(ir::floormod(a.expr, ir::int_imm(c)), bounds), algebra.modulo(a.sum, c)};
      case 2: return {ir::simplify(ir::min(a.expr, ir::int_imm(c)), bounds), algebra.least(a.sum, IndexSum(c))};
      case 3: return {ir::simplify(ir::max(a.expr, ir::int_imm(c)), bounds), algebra.greatest(a.sum, IndexSum(c))};
      default: break;
    }
    const Pair b = make(depth - 1);
    const std::int64_t k = rng_.below(2) == 0 ? c : -c;
    return {ir::simplify(a.expr + b.expr * ir::int_imm(k), bounds), algebra.sum(a.sum, b.sum, k)};
  }

  std::vector<ir::Var> variables;
  ir::Bounds bounds;
  IndexAlgebra algebra;

 private:
  Rng rng_;
};

TEST(IndexAlgebra, AgreesWithSimplify) {
  for (std::uint64_t seed = 0; seed < 3000; ++seed) {
    Expressions all(seed);
    const Pair p = all.make(1 + static_cast<int>(seed % 5));
    ASSERT_TRUE(all.algebra.fits());
    const ir::AffineSum want = ir::affine_sum(p.expr);
    SCOPED_TRACE(ir::to_string(p.expr) + " of seed " + std::to_string(seed));
    EXPECT_EQ(p.sum.constant, want.constant);
    EXPECT_EQ(static_cast<std::size_t>(p.sum.size), want.terms.size());
    for (int v = 0; v < kVariables; ++v) {
      std::int64_t mine = 0;
      bool inside = false, want_inside = false;
      for (const IndexTerm& t : p.sum) {
        if (t.atom == v) mine = t.coefficient;
        inside |= !all.algebra.is_variable(t.atom) && all.algebra.uses(t.atom, v);
      }
      const ir::VarId id = all.variables[static_cast<std::size_t>(v)].id();
      for (const ir::Term& t : want.terms) want_inside |= t.atom->kind != ir::ExprKind::kVar && ir::uses_var(t.atom, id);
      EXPECT_EQ(mine, want.coefficient_of(id));
      EXPECT_EQ(inside, want_inside);
    }
    EXPECT_EQ(all.algebra.range(IndexAlgebra::ordered(p.sum)), want.range(all.bounds));
  }
}

TEST(IndexAlgebra, WithoutBoundsNothingIsKnown) {
  IndexAlgebra a;
  a.begin(1);
  a.bound(0, 0, 3);
  EXPECT_EQ(a.divide(a.variable(0), 4).size, 0);
  a.use_bounds(false);
  const IndexSum open = a.divide(a.variable(0), 4);
  EXPECT_EQ(open.size, 1);
  a.use_bounds(true);
  EXPECT_EQ(a.simplified(open).size, 0);
}

TEST(IndexAlgebra, NoticesSumsThatAreTooLong) {
  IndexAlgebra a;
  a.begin(IndexSum::kMost + 1);
  IndexSum s;
  for (int v = 0; v < IndexSum::kMost; ++v) a.add(s, a.variable(v));
  EXPECT_TRUE(a.fits());
  a.add(s, a.variable(IndexSum::kMost));
  EXPECT_FALSE(a.fits());
}

}  // namespace
}  // namespace tessera::schedule::detail
