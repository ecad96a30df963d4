// Which loops stages share: known programs, every operator, and what the strategies make of a chain.
#include <gtest/gtest.h>

#include <ctime>

#include "ops/catalog.h"
#include "polyhedral/align.h"
#include "tests/polyhedral/programs.h"
#include "tests/support/golden.h"

namespace tessera::polyhedral {
namespace {

using namespace test;  // NOLINT: the programs that the tests of this folder share

Alignment aligned(const ComputeDag& dag, const AlignOptions& options = {}) {
  return align(Scop::of(equations_of(dag).or_throw()).or_throw(), options).or_throw();
}

ComputeDag operator_named(const std::string& name) { return ops::build({name, {}, "", ""}).or_throw(); }

/// D[i,l] = sum_j relu(sum_k A[i,k] B[k,j]) * V[j,l]: rows of both products are shared.
ComputeDag two_products(std::int64_t rows, std::int64_t n) {
  auto a = placeholder({rows, n}, f32, "A"), b = placeholder({n, n}, f32, "B"), v = placeholder({n, n}, f32, "V");
  auto k = dsl::reduce_axis(n, "k"), j = dsl::reduce_axis(n, "j");
  auto s = compute({rows, n}, [&](Var i, Var q) { return dsl::sum(a(i, k) * b(k, q), k); }, "S");
  auto r = compute({rows, n}, [&](Var i, Var q) { return ir::max(s(i, q), Expr(0.0)); }, "R");
  auto d = compute({rows, n}, [&](Var i, Var l) { return dsl::sum(r(i, j) * v(j, l), j); }, "D");
  return ComputeDag::from_outputs({d});
}

TEST(Align, RowsOfAChainOfProducts) {
  EXPECT_EQ(to_string(aligned(two_products(512, 64))),
            "nest D: i 512\n"
            "  S  i\n"
            "  R  i\n"
            "  D  i\n");
}

TEST(Align, WindowsSlideAndFiltersRepeatThem) {
  const Alignment a = aligned(padded_convolution(32, 32));
  // 18 x 18 elements for 16 x 16 points, for each of two tiles of filters.
  EXPECT_EQ(to_string(a),
            "nest E: i 4, j 32, k 32, l 32\n"
            "  P  i, each j, ~k, ~l  recompute 2.24\n"
            "  O  i, j, k, l\n"
            "  E  i, j, k, l\n");
  EXPECT_NEAR(a.nests[0].members[0].recompute, 2 * 18.0 * 18 / (16 * 16) * 32 * 32 / (34 * 34), 1e-9);
}

TEST(Align, RecomputeIsBounded) {
  AlignOptions options;
  options.cheap = 0;  // then the padding serves all filters, which are no shared loop
  EXPECT_EQ(to_string(aligned(padded_convolution(32, 32), options)),
            "nest E: i 4, k 32, l 32\n"
            "  P  i, ~k, ~l  recompute 1.12\n"
            "  O  i, k, l\n"
            "  E  i, k, l\n");
  options.most_recompute = 1.05;
  const Alignment a = aligned(padded_convolution(32, 32), options);
  ASSERT_EQ(a.nests.size(), 2u) << to_string(a);
  EXPECT_EQ(a.nests[0].apart, "recompute of windows would be 1.12, above 1.05");
  EXPECT_EQ(a.nests[1].shared.size(), 4u);
}

TEST(Align, StrategiesTradeSharingForParallelism) {
  const ComputeDag dag = two_products(32, 64);
  AlignOptions options;
  EXPECT_EQ(aligned(dag, options).nests.size(), 1u);
  options.grouping = Grouping::kKeepParallel;
  const Alignment kept = aligned(dag, options);
  ASSERT_EQ(kept.nests.size(), 2u) << to_string(kept);  // the first product keeps its epilogue
  EXPECT_EQ(kept.nests[0].members.size(), 2u);
  EXPECT_EQ(kept.nests[0].parallelism(), 32 * 64);
  EXPECT_EQ(kept.nests[0].apart, "every point of j needs the same elements, and without them 32 of 2048 iterations are left");
  options.parallelism = 32;
  EXPECT_EQ(aligned(dag, options).nests.size(), 1u);
  options.grouping = Grouping::kMin;
  EXPECT_EQ(aligned(dag, options).nests.size(), 3u);
}

TEST(Align, WhatAllPointsNeedStandsApart) {
  auto x = placeholder({64}, f32, "X");
  auto k = dsl::reduce_axis(64, "k");
  auto m = compute({}, [&](const std::vector<Var>&) { return dsl::sum(x(k), k); }, "M");
  auto y = compute({64}, [&](Var i) { return x(i) - m(); }, "Y");
  const Alignment a = aligned(ComputeDag::from_outputs({y}));
  ASSERT_EQ(a.nests.size(), 2u) << to_string(a);
  EXPECT_TRUE(a.nests[0].shared.empty());
  EXPECT_EQ(a.nests[0].apart, "every point of i needs the same elements, and without them 1 of 64 iterations are left");
}

TEST(Align, TransposedReadersShareTheOtherCoordinate) {
  auto x = placeholder({8, 16}, f32, "X");
  auto b = compute({8, 16}, [&](Var i, Var j) { return x(i, j) * 2.0; }, "B");
  auto c = compute({16, 8}, [&](Var j, Var i) { return b(i, j) + 1.0; }, "C");
  const Alignment a = aligned(ComputeDag::from_outputs({c}));
  ASSERT_EQ(a.nests.size(), 1u) << to_string(a);
  EXPECT_EQ(a.nests[0].members[0].coordinates, (std::vector<int>{1, 0}));
  auto d = compute({8, 8}, [&](Var i, Var j) { return b(i, j) + b(j, i); }, "D");  // read both ways: no axis is kept
  const Alignment both = aligned(ComputeDag::from_outputs({d}));
  for (const AlignedNest& n : both.nests) {
    for (const Member& m : n.members) EXPECT_TRUE(m.stage == "D" || !m.is_aligned()) << to_string(both);
  }
}

TEST(Align, RowsOfAScanAreNotShared) {
  auto x = placeholder({6, 3}, f32, "X");
  auto state = dsl::scan_state({6, 3}, f32, "S");
  auto own = compute({6, 3}, [&](Var t, Var j) { return state(t - 1, j) * x(t, j); }, "M");
  auto s = dsl::scan(state, {}, [&](Var t, Var j) { return x(t, j); }, [&](Var t, Var j) { return own(t, j) + x(t, j); });
  const Alignment a = aligned(ComputeDag::from_outputs({s}));
  ASSERT_EQ(a.nests.size(), 1u) << to_string(a);
  ASSERT_EQ(a.nests[0].shared.size(), 1u) << to_string(a);  // columns do not wait for each other
  EXPECT_EQ(a.nests[0].shared[0].extent, 3);
}

/// All operators, and that those made to be fused become one nest.
TEST(Align, Catalogue) {
  std::string text;
  for (const ops::Operator* op : ops::catalog()) {
    auto scop = Scop::of(equations_of(operator_named(op->name)).or_throw());
    if (op->name == "csr_spmm") {  // an extern
      EXPECT_FALSE(scop.ok());
      continue;
    }
    const std::clock_t start = std::clock();
    const auto a = align(*scop);
    ASSERT_TRUE(a.ok()) << op->name << ": " << a.reason();
    RecordProperty(op->name + "_ms", std::to_string(1000.0 * static_cast<double>(std::clock() - start) / CLOCKS_PER_SEC));
    text += "# " + op->name + "\n" + to_string(*a) + "\n";
  }
  tessera::test::expect_golden("polyhedral/nests.txt", text);
  for (const std::string name : {"softmax", "layer_norm", "attention", "matmul_bias_gelu", "conv2d_bn_relu", "depthwise_pointwise"}) {
    const Alignment a = aligned(operator_named(name));
    EXPECT_EQ(a.nests.size(), 1u) << name << "\n" << to_string(a);
    EXPECT_GE(a.nests[0].parallelism(), 64) << name;
  }
}

}  // namespace
}  // namespace tessera::polyhedral
