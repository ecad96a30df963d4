// Default plans for CUDA in the emulator against the definition, and the oracle itself against defects.
#include <gtest/gtest.h>

#include "driver/compile.h"
#include "driver/fuzz/emulated_check.h"
#include "ops/catalog.h"

namespace tessera::driver {
namespace {

struct Case {
  std::string op;
  ops::Shape shape;
};

class DefaultPlan : public ::testing::TestWithParam<Case> {};

TEST_P(DefaultPlan, IsRight) {
  const dsl::ComputeDag dag = ops::build({GetParam().op, GetParam().shape, "", ""}).or_throw();
  const ir::Target target = resolve_target("cuda -arch=sm_90a");
  const auto finished = finished_program(dag, default_plan(dag, target), target);
  ASSERT_TRUE(finished.ok()) << finished.reason();
  EmulationOracle oracle(dag, 1);
  EXPECT_EQ(oracle.check(*finished, {.seed = 1}).why, "");
}

INSTANTIATE_TEST_SUITE_P(Some, DefaultPlan,
                         ::testing::Values(Case{"matmul", {{"m", 33}, {"n", 40}, {"k", 20}}},
                                           Case{"conv2d", {{"h", 7}, {"w", 9}, {"ci", 3}, {"co", 5}, {"kh", 3}, {"kw", 3}, {"pad", 1}}},
                                           Case{"softmax", {{"m", 6}, {"n", 100}}}, Case{"relu", {{"m", 17}, {"n", 31}}}),
                         [](const auto& info) { return info.param.op; });

/// A problem of 2^27 multiply-adds: sampled blocks of the last kernel, and what they wrote is compared.
TEST(EmulationOracle, SamplesBlocksOfLargeProblems) {
  const dsl::ComputeDag dag = ops::build({"matmul", {{"m", 512}, {"n", 520}, {"k", 512}}, "", ""}).or_throw();
  const ir::Target target = resolve_target("cuda -arch=sm_90a");
  EmulationOracle oracle(dag, 1);
  EXPECT_TRUE(oracle.samples_blocks());
  const ir::Program finished = finished_program(dag, default_plan(dag, target), target).or_throw();
  EXPECT_EQ(oracle.check(finished, {.seed = 1}).why, "");
}

/// A reduction that starts again every few terms is wrong, and not refused.
TEST(EmulationOracle, NamesWhatIsWrong) {
  const dsl::ComputeDag dag = ops::build({"matmul", {{"m", 20}, {"n", 20}, {"k", 20}}, "", ""}).or_throw();
  const ir::Target target = resolve_target("cuda -arch=sm_90a");
  lower::Options options;
  options.target = ir::TargetKind::kCuda;
  options.mutant = lower::Mutant::kInitPerTile;
  const auto state = scheduled(dag, default_plan(dag, target)).or_throw();
  const auto finished = lower::lower(state, options);
  ASSERT_TRUE(finished.ok()) << finished.reason();
  const PairOutcome out = EmulationOracle(dag, 1).check(*finished, {});
  EXPECT_TRUE(out.failed()) << out.why;
  EXPECT_NE(out.why.find("C["), std::string::npos) << out.why;
}

}  // namespace
}  // namespace tessera::driver
