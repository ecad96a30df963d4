// Steps for CUDA from shared loops, for every operator: legal by the verifier and within the limits of the architectures
// at the operators' own shapes, and right in the emulator on small odd ones.
#include "polyhedral/cuda_steps.h"

#include <gtest/gtest.h>

#include <ctime>

#include "driver/compile.h"
#include "driver/fuzz/emulated_check.h"
#include "driver/verify.h"
#include "ops/catalog.h"
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

std::string refusals(const CudaSteps& s) {
  std::string out;
  for (const std::string& r : s.refused) out += "\n  " + r;
  return out;
}

/// Primes in place of large extents, larger than a warp where that stays small enough for the emulator.
dsl::ComputeDag small(const ops::Operator& op, const std::string& layout) {
  static constexpr double kMostFlops = 3e5;
  static constexpr std::int64_t kPrimes[][4] = {{37, 19, 51, 13}, {19, 11, 13, 17}, {7, 5, 11, 13}};
  for (const auto& primes : kPrimes) {
    ops::Request r{op.name, {}, layout, ""};
    std::size_t i = 0;
    for (const ops::Parameter& p : op.parameters) {
      if (p.fallback > 8) r.shape[p.name] = std::max(p.min, primes[i++ % 4]);
    }
    dsl::ComputeDag dag = ops::build(r).or_throw();
    if (dag.flops() < kMostFlops || &primes == std::end(kPrimes) - 1) return dag;
  }
  throw std::logic_error("no shapes");
}

class CudaStepsOf : public ::testing::TestWithParam<std::string> {};

TEST_P(CudaStepsOf, AreLegal) {
  const dsl::ComputeDag dag = ops::build({GetParam(), {}, "", ""}).or_throw();
  for (const char* arch : {"sm_90a", "sm_80"}) {
    const std::clock_t start = std::clock();
    const auto nests = alignment_of(dag);
    if (!nests) continue;
    const CudaSteps made = cuda_steps(dag, *nests, target(arch)).or_throw();
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

TEST_P(CudaStepsOf, AreRight) {
  const ops::Operator& op = *ops::find_operator(GetParam()).or_throw();
  const std::uint64_t seed = tessera::test::options().seed;
  RecordProperty("seed", std::to_string(seed));
  for (const std::string& layout : op.layouts.empty() ? std::vector<std::string>{""} : op.layouts) {
    const dsl::ComputeDag dag = small(op, layout);
    driver::EmulationOracle oracle(dag, seed);
    for (const Grouping g : {Grouping::kMax, Grouping::kKeepParallel, Grouping::kMin}) {
      const auto nests = alignment_of(dag, g);
      if (!nests) continue;
      const CudaSteps made = cuda_steps(dag, *nests, target()).or_throw();
      SCOPED_TRACE(layout + " " + to_string(g) + " " + dump_json(write_json(made.steps)) + refusals(made));
      const auto finished = driver::finished_program(dag, made.steps, target());
      ASSERT_TRUE(finished.ok()) << finished.reason();
      EXPECT_EQ(oracle.check(*finished, {.late = true, .seed = 1}).why, "");
    }
  }
}

std::vector<std::string> names() {
  std::vector<std::string> out;
  for (const ops::Operator* op : ops::catalog()) out.push_back(op->name);
  return out;
}

INSTANTIATE_TEST_SUITE_P(Ops, CudaStepsOf, ::testing::ValuesIn(names()), [](const auto& info) { return info.param; });

}  // namespace
}  // namespace tessera::polyhedral
