// Every operator of the catalogue on small odd shapes: under random legal schedules, and by the road that
// tuning takes, under the default plan and points of every sketch. Bit for bit where the operator has
// exact inputs, else within the proved bound.
#include <gtest/gtest.h>

#include "driver/compile.h"
#include "driver/fuzz/check_pair.h"
#include "driver/fuzz/random_schedule.h"
#include "dsl/inputs.h"
#include "ir/interpret.h"
#include "ops/catalog.h"
#include "search/cpu_measurer.h"
#include "tests/support/options.h"

namespace tessera::driver {
namespace {

constexpr int kSchedules = 6;

/// Primes in place of large extents; strides, windows and the like as they are.
dsl::ComputeDag small(const ops::Operator& op, const std::string& layout, const std::string& dtype = "") {
  static constexpr std::int64_t kPrimes[] = {7, 5, 11, 3};
  ops::Request r{op.name, {}, layout, dtype};
  std::size_t i = 0;
  for (const ops::Parameter& p : op.parameters) {
    if (p.fallback > 8) r.shape[p.name] = std::max(p.min, kPrimes[i++ % 4]);
  }
  return ops::build(r).or_throw();
}

void expect_bounded(const dsl::ComputeDag& dag, const schedule::StepList& steps, std::uint64_t seed) {
  const auto inputs = dsl::make_inputs(dag, seed, dsl::InputKind::kRandom);
  const auto state = scheduled(dag, steps);
  ASSERT_TRUE(state.ok()) << state.reason();
  const auto program = lower::lower(*state);
  ASSERT_TRUE(program.ok()) << program.reason();
  ir::InterpretOptions options;
  options.flat = true;
  const auto got = ir::interpret(*program, inputs, options);
  ASSERT_TRUE(got.ok()) << got.reason();
  dsl::Evaluator reference(dag, inputs, dsl::EvaluateMode::kBounded);
  for (std::size_t i = 0; i < got->size(); ++i) {
    const auto verdict = reference.compare(dag.outputs()[i]->name, (*got)[i]);
    ASSERT_TRUE(verdict.ok()) << verdict.reason();
    EXPECT_TRUE(verdict->ok()) << verdict->first;
    EXPECT_EQ(verdict->do_not_care, 0);
  }
}

class Catalogue : public ::testing::TestWithParam<std::string> {};

TEST_P(Catalogue, RandomSchedulesAreRight) {
  const ops::Operator& op = *ops::find_operator(GetParam()).or_throw();
  const std::uint64_t seed = test::options().seed;
  RecordProperty("seed", std::to_string(seed));
  NativeCheck native("cpu");
  for (const std::string& layout : op.layouts.empty() ? std::vector<std::string>{""} : op.layouts) {
    const dsl::ComputeDag dag = small(op, layout);
    const auto initial = schedule::State::initial(std::make_shared<const dsl::ComputeDag>(dag)).or_throw();
    for (int s = 0; s < kSchedules; ++s) {
      Rng rng(seed, {hash_bytes(op.name + layout), static_cast<std::uint64_t>(s)});
      WalkStatistics met;
      const Walk walk = random_schedule(initial, rng, s == 0 ? 0 : 20, met);
      SCOPED_TRACE(layout + " schedule " + std::to_string(s) + " " + dump_json(write_json(walk.steps)));
      EXPECT_TRUE(met.illegal_accepted.empty());
      if (!dsl::supports_exact(dag)) {
        expect_bounded(dag, walk.steps, seed);
        continue;
      }
      const auto program = CheckedProgram::make(dag, seed).or_throw();
      ir::Program finished;
      lower::Options options;
      options.vector_bytes = native.target().vector_bytes;
      const PairOutcome out = check_pair(program, walk.steps, options, &finished);
      EXPECT_EQ(out.why, "");
      if (out.why.empty()) {
        EXPECT_EQ(native.run(program, finished, 2).why, "");
      }
    }
  }
}

/// Default plan and `points` points of every sketch, built and run by the servers that tuning uses.
void expect_tunes(const dsl::ComputeDag& dag, std::uint64_t seed, int points) {
  search::Task task;
  task.op = dag.name();
  task.dag = dag;
  task.target = resolve_target("cpu");
  task.threads = 2;
  std::vector<search::Candidate> batch{{.sketch = "default", .decisions = {}, .steps = default_plan(dag, task.target)}};
  for (const search::Sketch& s : search::generate_sketches(task)) {
    Rng rng(seed, {hash_bytes(s.name)});
    for (int i = 0; i < points; ++i) {
      const auto point = s.space.sample(rng);
      ASSERT_TRUE(point.has_value()) << s.name;
      const search::Decisions decisions = s.space.decisions(*point);
      batch.push_back({.sketch = s.name, .decisions = decisions, .steps = schedule::fill_holes(s.steps, decisions).or_throw()});
    }
  }
  search::CpuTaskMeasurer measurer(task, seed);
  const runtime::DataSet& data = measurer.reference().data;
  for (const runtime::OperandSet* set : {&data.exact, &data.real}) {
    for (const runtime::ExpectedOutput& o : set->outputs) {
      for (const float bound : o.bounds) ASSERT_TRUE(std::isfinite(bound)) << o.name << " is not checked everywhere";
    }
  }
  const auto done = [](const search::Trial& t) {
    EXPECT_TRUE(t.ok()) << t.candidate.sketch << ": " << runtime::to_string(t.measurement.status) << " in " << t.measurement.phase << ": "
                        << t.measurement.message << "\n" << dump_json(write_json(t.candidate.steps));
  };
  measurer.measure(batch, 1, done, [] { return false; });
}

TEST_P(Catalogue, DefaultPlanAndSketchesAreRight) {
  const ops::Operator& op = *ops::find_operator(GetParam()).or_throw();
  for (const std::string& layout : op.layouts.empty() ? std::vector<std::string>{""} : op.layouts) {
    SCOPED_TRACE(layout);
    expect_tunes(small(op, layout), test::options().seed, 1);
  }
}

TEST_P(Catalogue, EveryDtypeIsRight) {
  const ops::Operator& op = *ops::find_operator(GetParam()).or_throw();
  for (std::size_t i = 1; i < op.dtypes.size(); ++i) {
    const std::string dtype = ir::to_string(op.dtypes[i]);
    SCOPED_TRACE(dtype);
    expect_tunes(small(op, "", dtype), test::options().seed, 1);
  }
}

std::vector<std::string> names() {
  std::vector<std::string> out;
  for (const ops::Operator* op : ops::catalog()) out.push_back(op->name);
  return out;
}

INSTANTIATE_TEST_SUITE_P(Ops, Catalogue, ::testing::ValuesIn(names()), [](const auto& info) { return info.param; });

}  // namespace
}  // namespace tessera::driver
