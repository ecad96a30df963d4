// Every sketch of every operator in several dtypes on shapes of each boundary class: the printed text in the
// emulator. Minutes to an hour: by name only (docs/proofs.md).
#include <gtest/gtest.h>

#include <iostream>
#include <set>

#include "driver/compile.h"
#include "driver/fuzz/emulated_check.h"
#include "ops/catalog.h"
#include "search/proposal_check.h"
#include "search/sketch.h"
#include "tests/support/options.h"

namespace tessera::driver {
namespace {

/// What large extents become, by place among the parameters, larger ones first: tiles divide them, divide
/// them not, primes, one.
struct Boundary {
  const char* name;
  std::int64_t extents[3][4];
};
constexpr Boundary kBoundaries[] = {{"whole", {{32, 64, 32, 16}, {16, 32, 16, 8}, {8, 16, 8, 4}}},
                                    {"ragged", {{36, 50, 28, 12}, {18, 27, 14, 6}, {9, 15, 10, 6}}},
                                    {"prime", {{37, 19, 31, 13}, {19, 11, 13, 17}, {7, 5, 11, 13}}},
                                    {"one", {{1, 1, 1, 1}, {1, 1, 1, 1}, {1, 1, 1, 1}}}};
constexpr double kMostFlops = 3e5;  // of a program; the emulator runs every thread

struct Sums {
  int programs = 0, emulated = 0, rounded = 0, refused = 0, wrong = 0;
  std::set<std::string> sketches;
};
Sums sums;

class EmulationSweep : public ::testing::TestWithParam<std::string> {
 protected:
  static void TearDownTestSuite() {
    std::cout << "programs: " << sums.programs << " kinds of sketches: " << sums.sketches.size() << " emulated: " << sums.emulated
              << " in tf32: " << sums.rounded << " refused: " << sums.refused << " wrong: " << sums.wrong << std::endl;
  }
};

/// The largest of a class that the emulator can run; extents that do not go together are passed over.
std::optional<dsl::ComputeDag> program(const ops::Operator& op, const Boundary& boundary, const std::string& dtype) {
  for (const auto& extents : boundary.extents) {
    ops::Request r{op.name, {}, "", dtype};
    std::size_t i = 0;
    for (const ops::Parameter& p : op.parameters) {
      if (p.fallback > 8) r.shape[p.name] = std::max(p.min, extents[i++ % 4]);
    }
    auto dag = ops::build(r);
    if (!dag.ok()) return std::nullopt;
    if (dag->flops() < kMostFlops || &extents == std::end(boundary.extents) - 1) return std::move(*dag);
  }
  return std::nullopt;
}

/// What programs compute with. Where f32 may be rounded to tf32, the sketches that round are looked at.
struct Numbers {
  ir::Type dtype;
  bool rounded;
};
constexpr Numbers kNumbers[] = {{ir::f32, false}, {ir::f16, false}, {ir::bf16, false}, {ir::i8, false}, {ir::f32, true}};

void check(const ops::Operator& op, const dsl::ComputeDag& dag, bool rounded) {
  search::Task task;
  task.op = op.name;
  task.dag = dag;
  task.target = resolve_target("cuda -arch=sm_90a");
  task.target.allow_tf32 = rounded;
  sums.programs += rounded ? 0 : 1;
  EmulationOracle oracle(dag, test::options().seed);
  for (const search::Sketch& s : search::generate_sketches(task)) {
    Rng rng(test::options().seed, {hash_bytes(s.name)});
    const auto point = s.space.sample(rng);
    ASSERT_TRUE(point.has_value()) << s.name;
    const schedule::StepList steps = schedule::fill_holes(s.steps, s.space.decisions(*point)).or_throw();
    const double error_factor = scheduled(dag, steps).or_throw().error_factor();
    if (rounded && error_factor == 1) continue;
    const auto finished = finished_program(dag, steps, task.target);
    ASSERT_TRUE(finished.ok()) << s.name << ": " << finished.reason() << " " << dump_json(write_json(steps));
    const PairOutcome out = oracle.check(*finished, {.late = rng.chance(0.5), .seed = static_cast<std::uint64_t>(rng.below(4))}, error_factor);
    ++sums.emulated;
    sums.rounded += rounded ? 1 : 0;
    sums.sketches.insert(search::sketch_kind(s.name));
    sums.refused += out.refused ? 1 : 0;
    sums.wrong += out.failed() ? 1 : 0;
    EXPECT_EQ(out.why, "") << s.name << " " << dump_json(write_json(steps));
  }
}

TEST_P(EmulationSweep, EverySketchIsRight) {
  const ops::Operator& op = *ops::find_operator(GetParam()).or_throw();
  for (const auto& [t, rounded] : kNumbers) {
    if (std::find(op.dtypes.begin(), op.dtypes.end(), t) == op.dtypes.end()) continue;
    for (const Boundary& b : kBoundaries) {
      SCOPED_TRACE(op.name + " " + (rounded ? "tf32" : ir::to_string(t)) + " " + b.name);
      if (const auto dag = program(op, b, ir::to_string(t))) check(op, *dag, rounded);
    }
  }
}

std::vector<std::string> names() {
  std::vector<std::string> out;
  for (const ops::Operator* op : ops::catalog()) out.push_back(op->name);
  return out;
}

INSTANTIATE_TEST_SUITE_P(DISABLED_Ops, EmulationSweep, ::testing::ValuesIn(names()), [](const auto& info) { return info.param; });

}  // namespace
}  // namespace tessera::driver
