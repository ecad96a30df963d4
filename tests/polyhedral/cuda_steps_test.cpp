// Steps for CUDA from shared loops, for every operator: legal by the verifier and within the limits of the architectures
// at the operators' own shapes, and right in the emulator on small odd ones.
#include "polyhedral/cuda_steps.h"

#include <gtest/gtest.h>

#include <ctime>

#include "driver/compile.h"
#include "driver/fuzz/emulated_check.h"
#include "driver/fuzz/random_program.h"
#include "driver/verify.h"
#include "ir/print.h"
#include "ir/rewrite.h"
#include "lower/passes/insert_barriers.h"
#include "lower/passes/pipeline_loops.h"
#include "ops/catalog.h"
#include "tests/support/emulated_shapes.h"
#include "tests/support/options.h"

namespace tessera::polyhedral {
namespace {

const ir::Target& target(const std::string& arch = "sm_90a") {
  static const ir::Target kNew = driver::resolve_target("cuda -arch=sm_90a"), kOld = driver::resolve_target("cuda -arch=sm_80");
  return arch == "sm_80" ? kOld : kNew;
}

/// Nothing for programs with externs, which have no sets.
std::optional<Alignment> alignment_of(const dsl::ComputeDag& dag, Grouping grouping = Grouping::kMax) {
  const auto scop = Scop::of(equations_of(dag).or_throw());
  if (!scop.ok()) return std::nullopt;
  AlignOptions options;
  options.grouping = grouping;
  return align(*scop, options).or_throw();
}

std::string refusals(const PlannedSteps& s) {
  std::string out;
  for (const std::string& r : s.refused) out += "\n  " + r;
  return out;
}

class CudaStepsOf : public ::testing::TestWithParam<std::string> {};

TEST_P(CudaStepsOf, AreLegal) {
  const dsl::ComputeDag dag = ops::build({GetParam(), {}, "", ""}).or_throw();
  for (const char* arch : {"sm_90a", "sm_80"}) {
    const std::clock_t start = std::clock();
    const auto nests = alignment_of(dag);
    if (!nests) continue;
    const PlannedSteps made = cuda_steps(dag, *nests, target(arch)).or_throw();
    RecordProperty(std::string(arch) + "_ms", std::to_string(1000.0 * static_cast<double>(std::clock() - start) / CLOCKS_PER_SEC));
    RecordProperty(std::string(arch) + "_refused", refusals(made));
    SCOPED_TRACE(arch + dump_json(write_json(made.steps)) + refusals(made));
    const auto finished = driver::finished_program(dag, made.steps, target(arch));
    ASSERT_TRUE(finished.ok()) << finished.reason();
    const Status launches = driver::check_launchable(*finished, target(arch));
    EXPECT_TRUE(launches.ok()) << launches.reason();
    const auto verdict = driver::verify(dag, made.steps, target(arch));
    ASSERT_TRUE(verdict.ok()) << verdict.reason();
    EXPECT_EQ(to_string(*verdict), "ok");
  }
}

void expect_right(const dsl::ComputeDag& dag, Grouping grouping, driver::EmulationOracle& oracle) {
  const auto nests = alignment_of(dag, grouping);
  if (!nests) return;
  const PlannedSteps made = cuda_steps(dag, *nests, target()).or_throw();
  SCOPED_TRACE(std::string(to_string(grouping)) + " " + dump_json(write_json(made.steps)) + refusals(made));
  const auto finished = driver::finished_program(dag, made.steps, target());
  ASSERT_TRUE(finished.ok()) << finished.reason();
  EXPECT_EQ(oracle.check(*finished, {.late = true, .seed = 1}).why, "");
}

TEST_P(CudaStepsOf, AreRight) {
  const ops::Operator& op = *ops::find_operator(GetParam()).or_throw();
  const std::uint64_t seed = tessera::test::options().seed;
  RecordProperty("seed", std::to_string(seed));
  for (const std::string& layout : op.layouts.empty() ? std::vector<std::string>{""} : op.layouts) {
    SCOPED_TRACE(layout);
    const dsl::ComputeDag dag = tessera::test::small_for_emulator(op, layout);
    driver::EmulationOracle oracle(dag, seed);
    for (const Grouping g : {Grouping::kMax, Grouping::kKeepParallel, Grouping::kMin}) expect_right(dag, g, oracle);
  }
  for (const ir::Type dtype : op.dtypes) {
    if (dtype == op.dtypes[0]) continue;
    SCOPED_TRACE(ir::to_string(dtype));
    const dsl::ComputeDag dag = tessera::test::small_for_emulator(op, "", ir::to_string(dtype));
    driver::EmulationOracle oracle(dag, seed);
    expect_right(dag, Grouping::kMax, oracle);
  }
}

std::vector<std::string> names() {
  std::vector<std::string> out;
  for (const ops::Operator* op : ops::catalog()) out.push_back(op->name);
  return out;
}

INSTANTIATE_TEST_SUITE_P(Ops, CudaStepsOf, ::testing::ValuesIn(names()), [](const auto& info) { return info.param; });

/// The shapes that benchmarks are made of.
TEST_P(CudaStepsOf, LaunchAtEveryPreset) {
  constexpr double kMostMs = 400;
  for (const ops::Preset& preset : ops::find_operator(GetParam()).or_throw()->presets) {
    const dsl::ComputeDag dag = ops::build({GetParam(), preset.shape, preset.layout, ""}).or_throw();
    for (const char* arch : {"sm_90a", "sm_80"}) {
      SCOPED_TRACE(preset.name + " " + arch);
      const std::clock_t start = std::clock();
      const auto nests = alignment_of(dag);
      if (!nests) continue;
      const PlannedSteps made = cuda_steps(dag, *nests, target(arch)).or_throw();
      EXPECT_LT(1000.0 * static_cast<double>(std::clock() - start) / CLOCKS_PER_SEC, kMostMs);
      const auto finished = driver::finished_program(dag, made.steps, target(arch));
      ASSERT_TRUE(finished.ok()) << finished.reason() << refusals(made);
      const Status launches = driver::check_launchable(*finished, target(arch));
      EXPECT_TRUE(launches.ok()) << launches.reason() << refusals(made);
    }
  }
}

PlannedSteps steps_of(const dsl::ComputeDag& dag) { return cuda_steps(dag, *alignment_of(dag), target()).or_throw(); }

TEST(CudaSteps, OneKernel) {
  for (const std::string name : {"softmax", "layer_norm", "attention", "dense_bias_gelu", "matmul_bias_gelu", "conv2d_bias_relu", "conv2d_bn_relu", "depthwise_pointwise",
                                 "transpose_batch_matmul_softmax"}) {
    const dsl::ComputeDag dag = ops::build({name, {}, "", ""}).or_throw();
    const PlannedSteps made = steps_of(dag);
    const ir::Program finished = driver::finished_program(dag, made.steps, target()).or_throw();
    EXPECT_EQ(finished.launches.size(), 1U) << name << refusals(made);
  }
}

/// Long reductions of few results, which are cut; and results that go elsewhere than to their own places, of which a block
/// would have too few for a product.
TEST(CudaSteps, TwoKernels) {
  for (const std::string name : {"norm", "column_sum", "conv2d_transposed"}) {
    const dsl::ComputeDag dag = ops::build({name, {}, "", ""}).or_throw();
    EXPECT_EQ(driver::finished_program(dag, steps_of(dag).steps, target()).or_throw().launches.size(), 2U) << name;
  }
}

TEST(CudaSteps, NamesWhatItCannotDo) {
  const dsl::ComputeDag relu = ops::build({"relu", {}, "", ""}).or_throw();
  const Alignment nests = *alignment_of(relu);
  EXPECT_EQ(cuda_steps(relu, nests, ir::Target{}).reason(), "'cpu' is no CUDA target");
  const auto other = cuda_steps(ops::build({"softmax", {}, "", ""}).or_throw(), Alignment{{AlignedNest{{}, {Member{"Z", {}, 1}}, ""}}}, target());
  EXPECT_EQ(other.reason(), "the program has no stage 'Z'");
  // Blocks that are too few for the device: the nest is aligned again, with more to do side by side.
  const PlannedSteps made = steps_of(ops::build({"transpose_batch_matmul_softmax", {}, "", ""}).or_throw());
  ASSERT_EQ(made.refused.size(), 1U) << refusals(made);
  EXPECT_NE(made.refused[0].find("blocks of 1 rows are 12 for 132 multiprocessors"), std::string::npos) << made.refused[0];
}

/// Whatever is made of a program that nobody has thought of lowers, is no illegal plan, and is right.
TEST(CudaSteps, OfRandomPrograms) {
  const std::uint64_t seed = tessera::test::options().seed;
  RecordProperty("seed", std::to_string(seed));
  int unknown = 0;
  for (std::uint64_t i = 0; i < 100; ++i) {
    Rng rng(seed, {i});
    const dsl::ComputeDag dag = driver::random_program(rng);
    const auto nests = alignment_of(dag);
    if (!nests) continue;
    const PlannedSteps made = cuda_steps(dag, *nests, target()).or_throw();
    SCOPED_TRACE(std::to_string(i) + " " + dump_json(write_json(made.steps)) + refusals(made));
    const auto finished = driver::finished_program(dag, made.steps, target());
    ASSERT_TRUE(finished.ok()) << finished.reason();
    const auto checked = driver::CheckedProgram::make(dag, seed).or_throw();
    EXPECT_EQ(driver::check_emulated(checked, *finished, {.late = true, .seed = 1}).why, "");
    const auto verdict = driver::verify(dag, made.steps, target());
    ASSERT_TRUE(verdict.ok()) << verdict.reason();
    EXPECT_FALSE(verdict->illegal()) << *verdict;
    unknown += !verdict->ok();
  }
  RecordProperty("unknown", unknown);
}

/// Without its n-th barrier for the block; nothing when there are not so many.
std::optional<ir::Program> without_barrier(const ir::Program& p, int n) {
  int left = n;
  ir::Program out = p;
  const ir::StmtFn self = [&](const ir::Stmt& s) -> ir::Stmt {
    if (s.as<ir::Barrier>() != nullptr && left-- == 0) return ir::block({});
    return ir::map_children(s, [](const ir::Expr& e) { return e; }, [&](const ir::Stmt& x) { return x ? self(x) : x; });
  };
  for (ir::Function& f : out.functions) f.body = self(f.body);
  return left < 0 ? std::optional(out) : std::nullopt;
}

class CudaStepsBarriers : public ::testing::TestWithParam<std::string> {};

/// What lowering puts between the stages of a block is enough, and none of it can be left out.
TEST_P(CudaStepsBarriers, AreEnoughAndNeeded) {
  const dsl::ComputeDag dag = tessera::test::small_for_emulator(*ops::find_operator(GetParam()).or_throw(), "");
  const PlannedSteps made = steps_of(dag);
  const schedule::State state = driver::scheduled(dag, made.steps).or_throw();
  lower::Options options;
  options.target = ir::TargetKind::kCuda;
  const ir::Program loops = lower::insert_barriers(lower::pipeline_loops(lower::build(state, options).or_throw(), options).or_throw(), options).or_throw();
  const Equations program = equations_of(state).or_throw();
  EXPECT_EQ(to_string(verify(program, loops, {.barriers = true})), "ok");
  int barriers = 0;
  for (; const auto wrong = without_barrier(loops, barriers); ++barriers) {
    const Verdict v = verify(program, *wrong, {.barriers = true});
    EXPECT_TRUE(v.illegal()) << "barrier " << barriers << " is not needed: " << v << "\n" << ir::to_string(*wrong);
  }
  RecordProperty("barriers", barriers);
  EXPECT_GE(barriers, 1);
}

INSTANTIATE_TEST_SUITE_P(Ops, CudaStepsBarriers, ::testing::Values("matmul", "conv2d_bn_relu", "depthwise_pointwise", "attention", "transpose_batch_matmul_softmax", "transpose", "conv2d_transposed", "argmax"),
                         [](const auto& info) { return info.param; });

}  // namespace
}  // namespace tessera::polyhedral
