// Steps from shared loops: legal by the verifier at the operators' own shapes, and right in the interpreter on
// small odd ones, for every operator and strategy.
#include <gtest/gtest.h>

#include <algorithm>
#include <ctime>

#include "polyhedral/cpu_steps.h"
#include "polyhedral/detail/register_tile.h"
#include "tests/polyhedral/right.h"
#include "tests/support/options.h"

namespace tessera::polyhedral {
namespace {

/// Nothing for programs with externs, which have no sets.
std::optional<PlannedSteps> steps_of(const dsl::ComputeDag& dag, Grouping grouping = Grouping::kMax) {
  const auto scop = Scop::of(equations_of(dag).or_throw());
  if (!scop.ok()) return std::nullopt;
  AlignOptions options;
  options.grouping = grouping;
  return cpu_steps(dag, align(*scop, options).or_throw(), driver::resolve_target("cpu -mcpu=x86-64-v3")).or_throw();
}

std::string refusals(const PlannedSteps& s) {
  std::string out;
  for (const std::string& r : s.refused) out += "\n  " + r;
  return out;
}

class CpuStepsOf : public ::testing::TestWithParam<std::string> {};

TEST_P(CpuStepsOf, AreLegal) {
  const ir::Target target = driver::resolve_target("cpu -mcpu=x86-64-v3");
  const dsl::ComputeDag dag = ops::build({GetParam(), {}, "", ""}).or_throw();
  for (const Grouping g : {Grouping::kMax, Grouping::kKeepParallel, Grouping::kMin}) {
    const std::clock_t start = std::clock();
    const auto made = steps_of(dag, g);
    if (!made) continue;
    RecordProperty(std::string(to_string(g)) + "_ms", std::to_string(1000.0 * static_cast<double>(std::clock() - start) / CLOCKS_PER_SEC));
    SCOPED_TRACE(std::string(to_string(g)) + " " + dump_json(write_json(made->steps)) + refusals(*made));
    EXPECT_EQ(refusals(*made), "");
    test::expect_legal(dag, made->steps, target);
  }
}

TEST_P(CpuStepsOf, AreRight) {
  const ops::Operator& op = *ops::find_operator(GetParam()).or_throw();
  const std::uint64_t seed = tessera::test::options().seed;
  RecordProperty("seed", std::to_string(seed));
  for (const std::string& layout : op.layouts.empty() ? std::vector<std::string>{""} : op.layouts) {
    const dsl::ComputeDag dag = test::small(op, layout);
    for (const Grouping g : {Grouping::kMax, Grouping::kKeepParallel, Grouping::kMin}) {
      SCOPED_TRACE(layout + " " + to_string(g));
      const auto made = steps_of(dag, g);
      if (!made) continue;
      SCOPED_TRACE(dump_json(write_json(made->steps)) + refusals(*made));
      test::expect_right(dag, made->steps, seed);
    }
  }
}

std::vector<std::string> names() {
  std::vector<std::string> out;
  for (const ops::Operator* op : ops::catalog()) out.push_back(op->name);
  return out;
}

INSTANTIATE_TEST_SUITE_P(Ops, CpuStepsOf, ::testing::ValuesIn(names()), [](const auto& info) { return info.param; });

/// The stages of a fused operator hang on one parallel loop; operands are copied into panels before it.
TEST(CpuSteps, OneParallelNest) {
  for (const std::string name : {"softmax", "layer_norm", "attention", "matmul_bias_gelu", "conv2d_bn_relu", "depthwise_pointwise"}) {
    const dsl::ComputeDag dag = ops::build({name, {}, "", ""}).or_throw();
    const auto made = steps_of(dag);
    const schedule::State state = driver::scheduled(dag, made->steps).or_throw();
    int nests = 0, parallel = 0;
    for (std::size_t i = 0; i < state.size(); ++i) {
      const schedule::Stage& s = state.stage(i);
      if (dag.find(s.name) == nullptr) continue;  // a copy of an operand, or sums of the stage that it is for
      nests += !s.is_input() && s.placement == schedule::Placement::kRoot;
      for (const std::string& leaf : s.leaves) parallel += s.find_axis(leaf)->loop == ir::ForKind::kParallel;
    }
    EXPECT_EQ(nests, 1) << name << refusals(*made) << "\n" << state.print_loops();
    EXPECT_EQ(parallel, 1) << name << refusals(*made) << "\n" << state.print_loops();
  }
}

PlannedSteps serial(const ops::Request& request) {
  const dsl::ComputeDag dag = ops::build(request).or_throw();
  CpuStepsOptions options;
  options.parallelism = 1;
  return cpu_steps(dag, align(Scop::of(equations_of(dag).or_throw()).or_throw()).or_throw(), driver::resolve_target("cpu -mcpu=x86-64-v4"), options).or_throw();
}

/// Rows of a register tile come from two axes where one alone leaves less at the borders, or is short.
TEST(CpuSteps, RegisterTilesHaveRowsOfTwoAxes) {
  const auto rows = [](const std::vector<std::int64_t>& extents, std::int64_t columns, int lanes, int registers) { return detail::register_tile(extents, columns, lanes, registers).rows; };
  using Rows = std::vector<std::int64_t>;
  EXPECT_EQ(rows({512}, 512, 16, 32), (Rows{6}));
  EXPECT_EQ(rows({56, 3}, 64, 16, 32), (Rows{2, 3}));  // 4 x 1 would fill no more of the registers, 1 x 3 fewer
  EXPECT_EQ(rows({2, 2}, 64, 16, 32), (Rows{2, 2}));
  EXPECT_EQ(rows({}, 512, 16, 32), (Rows{}));
  for (std::int64_t y = 1; y <= 9; ++y) {
    for (std::int64_t x = 1; x <= 9; ++x) {
      const detail::RegisterTile t = detail::register_tile({y, x}, 100, 8, 16);
      EXPECT_LE(t.registers(), 16);
      EXPECT_LE(t.rows[0], y);
      EXPECT_LE(t.rows[1], x);
    }
  }
}

/// Weights of nine megabytes are read once, not once a row of seven: their loop goes outside of all rows.
TEST(CpuSteps, WhatDoesNotFitTheCacheIsReadOnce) {
  const PlannedSteps deep = serial({"conv2d", {{"h", 7}, {"w", 7}, {"ci", 512}, {"co", 512}}, "", ""});
  EXPECT_EQ(deep.numbers.at("Y.columns_outside"), 1);
  EXPECT_EQ(deep.numbers.at("Y.co.tile"), 0);  // the border is not made again for parts of the columns
  const schedule::State state = driver::scheduled(ops::build({"conv2d", {{"h", 7}, {"w", 7}, {"ci", 512}, {"co", 512}}, "", ""}).or_throw(), deep.steps).or_throw();
  const std::vector<std::string>& leaves = state.find("Y")->leaves;
  const auto at = [&](const std::string& l) { return std::find(leaves.begin(), leaves.end(), l) - leaves.begin(); };
  EXPECT_LT(at("co.1"), at("x.1"));
  EXPECT_LT(at("co.1"), std::min(at("y"), at("y.1")));
  // A product is cut into blocks whose operands stay in the cache; one that fits as it is, is not.
  const PlannedSteps large = serial({"matmul", {{"m", 1024}, {"n", 1024}, {"k", 1024}}, "", ""});
  EXPECT_GT(large.numbers.at("C.j.tile"), 0);
  const PlannedSteps small = serial({"matmul", {{"m", 64}, {"n", 64}, {"k", 64}}, "", ""});
  EXPECT_EQ(small.numbers.at("C.i.tile"), 0);
  EXPECT_EQ(small.numbers.at("C.j.tile"), 0);
}

}  // namespace
}  // namespace tessera::polyhedral
