// The verifier accepts what the compiler makes of every operator of the catalogue: the default plan and random
// points of every sketch, at the operator's own shape, for CPUs and for GPUs.
#include <gtest/gtest.h>

#include "driver/compile.h"
#include "ops/catalog.h"
#include "polyhedral/verify.h"
#include "search/sketch.h"
#include "tests/support/options.h"

namespace tessera::polyhedral {
namespace {

constexpr int kPoints = 1;  // of a sketch

struct Count {
  int accepted = 0, unknown = 0;
};

/// Verifies one plan; plans that lowering refuses do not count.
void expect_accepted(const dsl::ComputeDag& dag, const schedule::StepList& steps, const ir::Target& target, const std::string& name, Count& count) {
  const auto state = driver::scheduled(dag, steps);
  ASSERT_TRUE(state.ok()) << state.reason();
  const auto loops = driver::structured_loops(dag, steps, target);
  if (!loops.ok()) return;
  const Verdict v = verify(equations_of(*state).or_throw(), *loops);
  EXPECT_FALSE(v.illegal()) << name << ": " << v << "\n" << dump_json(write_json(steps));
  (v.ok() ? count.accepted : count.unknown)++;
  EXPECT_TRUE(v.ok() || v.illegal()) << name << ": " << v << "\n" << dump_json(write_json(steps));
}

class Catalogue : public ::testing::TestWithParam<std::string> {};

TEST_P(Catalogue, PlansAreLegal) {
  const ops::Operator& op = *ops::find_operator(GetParam()).or_throw();
  const std::uint64_t seed = test::options().seed;
  RecordProperty("seed", std::to_string(seed));
  for (const std::string target : {"cpu", "cuda -arch=sm_80"}) {
    search::Task task;
    task.dag = ops::build({op.name, {}, "", ""}).or_throw();
    task.op = task.dag.name();
    task.target = driver::resolve_target(target);
    task.threads = 2;
    Count count;
    expect_accepted(task.dag, driver::default_plan(task.dag, task.target), task.target, target + " default", count);
    for (const search::Sketch& s : search::generate_sketches(task)) {
      Rng rng(seed, {hash_bytes(s.name)});
      for (int i = 0; i < kPoints; ++i) {
        const auto point = s.space.sample(rng);
        ASSERT_TRUE(point.has_value()) << s.name;
        const schedule::StepList steps = schedule::fill_holes(s.steps, s.space.decisions(*point)).or_throw();
        expect_accepted(task.dag, steps, task.target, target + " " + s.name, count);
      }
    }
    EXPECT_GT(count.accepted, 0) << target;
  }
}

std::vector<std::string> names() {
  std::vector<std::string> out;
  for (const ops::Operator* op : ops::catalog()) out.push_back(op->name);
  return out;
}

INSTANTIATE_TEST_SUITE_P(Ops, Catalogue, ::testing::ValuesIn(names()), [](const auto& info) { return info.param; });

}  // namespace
}  // namespace tessera::polyhedral
