// Every operator of the catalogue on small odd shapes through every CUDA sketch: the printed text in the
// emulator, bit for bit where the operator has exact inputs, else within the proved bound.
#include <gtest/gtest.h>

#include "driver/compile.h"
#include "driver/fuzz/check_pair.h"
#include "driver/fuzz/emulated_check.h"
#include "dsl/evaluate.h"
#include "dsl/inputs.h"
#include "ops/catalog.h"
#include "search/sketch.h"
#include "tests/support/emulated_shapes.h"
#include "tests/support/options.h"

namespace tessera::driver {
namespace {

constexpr int kPoints = 2;

/// The oracle's verdict of one result; empty when it is right.
std::string verdict(dsl::Evaluator& reference, bool exact, const std::string& name, const ir::Tensor& got) {
  if (exact) return difference(name, reference.tensor(name).or_throw(), got);
  const auto compared = reference.compare(name, got);
  return !compared.ok() ? compared.reason() : compared->ok() ? "" : compared->first;
}

class CudaCatalogue : public ::testing::TestWithParam<std::string> {};

TEST_P(CudaCatalogue, SketchesAreRight) {
  const dsl::ComputeDag dag = tessera::test::small_for_emulator(*ops::find_operator(GetParam()).or_throw());
  const std::uint64_t seed = test::options().seed;
  search::Task task;
  task.op = dag.name();
  task.dag = dag;
  task.target.kind = ir::TargetKind::kCuda;
  task.target.arch = "sm_90a";
  task.threads = 1;
  const bool exact = dsl::supports_exact(dag);
  const auto inputs = dsl::make_inputs(dag, seed, exact ? dsl::InputKind::kExact : dsl::InputKind::kRandom);
  dsl::Evaluator reference(dag, inputs, exact ? dsl::EvaluateMode::kExact : dsl::EvaluateMode::kBounded);
  lower::Options lowering;
  lowering.target = ir::TargetKind::kCuda;
  lowering.name = "kernel";
  const auto sketches = search::generate_sketches(task);
  EXPECT_FALSE(sketches.empty());
  for (const search::Sketch& s : sketches) {
    Rng rng(seed, {hash_bytes(s.name)});
    for (int i = 0; i < kPoints; ++i) {
      const auto point = s.space.sample(rng);
      ASSERT_TRUE(point.has_value()) << s.name;
      const schedule::StepList steps = schedule::fill_holes(s.steps, s.space.decisions(*point)).or_throw();
      SCOPED_TRACE(s.name + " " + dump_json(write_json(steps)));
      const auto state = scheduled(dag, steps);
      ASSERT_TRUE(state.ok()) << state.reason();
      const auto program = lower::lower(*state, lowering);
      ASSERT_TRUE(program.ok()) << program.reason();
      const auto got = emulated(*program, inputs, {.late = i % 2 == 1, .seed = static_cast<std::uint64_t>(i)});
      ASSERT_TRUE(got.ok()) << got.reason();
      ASSERT_EQ(got->size(), dag.outputs().size());
      for (const auto& [name, output] : *got) EXPECT_EQ(verdict(reference, exact, name, output.values), "");
    }
  }
}

std::vector<std::string> names() {
  std::vector<std::string> out;
  for (const ops::Operator* op : ops::catalog()) out.push_back(op->name);
  return out;
}

INSTANTIATE_TEST_SUITE_P(Ops, CudaCatalogue, ::testing::ValuesIn(names()), [](const auto& info) { return info.param; });

}  // namespace
}  // namespace tessera::driver
