// Every operator of the catalogue in all its presets and several dtypes through every kind of sketch and the
// compiler, for the oldest and the newest architecture that we measure. Minutes to an hour: by name only
// (docs/proofs.md).
#include <gtest/gtest.h>

#include <algorithm>
#include <iostream>

#include "codegen/cuda/compile.h"
#include "driver/builder.h"
#include "driver/compile.h"
#include "ops/catalog.h"
#include "search/mutation.h"
#include "search/pack.h"
#include "tests/support/options.h"

namespace tessera::search {
namespace {

constexpr int kRandom = 3;  // schedules of a program beside the best-ranked one

/// Of all programs together.
struct Sums {
  int programs = 0, compiled = 0, refused = 0, errors = 0, best = 0, spilled = 0;
};
Sums sums;

class CompileSweep : public ::testing::TestWithParam<std::string> {
 protected:
  void SetUp() override {
    if (!codegen::nvrtc().ok()) GTEST_SKIP() << codegen::nvrtc().reason();
  }
  static void TearDownTestSuite() {
    std::cout << "programs: " << sums.programs << " compiled: " << sums.compiled << " refused: " << sums.refused << " errors: " << sums.errors
              << " best: " << sums.best << " spilled: " << sums.spilled << std::endl;
  }

  /// A refusal by the report (registers, spills) is no error of ours, except of what is ranked first.
  static void compile(const Task& task, const schedule::StepList& steps, bool best) {
    const auto image = driver::compile(task.dag, steps, task.target);
    ++sums.compiled;
    const bool refused = !image.ok() && driver::status_of_refusal(image.reason()) == runtime::MeasureStatus::kResource;
    sums.refused += refused ? 1 : 0;
    sums.errors += !image.ok() && !refused ? 1 : 0;
    EXPECT_TRUE(image.ok() || (refused && !best)) << image.reason() << "\n" << dump_json(write_json(steps));
    if (!best) return;
    ++sums.best;
    sums.spilled += image.ok() && image->build.spill_bytes == 0 ? 0 : 1;
    EXPECT_TRUE(!image.ok() || image->build.spill_bytes == 0) << "spills " << image->build.spill_bytes << " bytes";
  }

  static void program(Task task, const std::string& arch) {
    task.target = driver::resolve_target("cuda -arch=" + arch);
    ++sums.programs;
    const std::vector<Candidate> pack = pack_candidates(task, {.count = 2, .seed = 1, .jobs = 1}, {});
    compile(task, pack.back().steps, true);
    const std::vector<Sketch> sketches = generate_sketches(task);
    const Mutator mutator(sketches);
    Rng rng(test::options().seed, {task.hash()});
    for (int i = 0; i < kRandom; ++i) {
      const auto p = mutator.fresh(static_cast<std::size_t>(rng.below(static_cast<std::int64_t>(sketches.size()))), rng);
      ASSERT_TRUE(p.has_value());
      compile(task, steps_of(sketches, *p).or_throw(), false);
    }
  }
};

/// Three of those the operator takes: f32, f16, and i8 or else bf16.
std::vector<std::string> dtypes_of(const ops::Operator& op) {
  const auto takes = [&](ir::Type t) { return std::find(op.dtypes.begin(), op.dtypes.end(), t) != op.dtypes.end(); };
  std::vector<std::string> out;
  for (const ir::Type t : {ir::f32, ir::f16}) {
    if (takes(t)) out.push_back(ir::to_string(t));
  }
  for (const ir::Type t : {ir::i8, ir::bf16}) {
    if (!takes(t)) continue;
    out.push_back(ir::to_string(t));
    break;
  }
  return out.empty() ? std::vector<std::string>{""} : out;
}

TEST_P(CompileSweep, EverySketchCompiles) {
  const ops::Operator& op = *ops::find_operator(GetParam()).or_throw();
  std::vector<ops::Preset> presets = op.presets;
  if (presets.empty()) presets.push_back({"default", {}});
  for (const ops::Preset& preset : presets) {
    for (const std::string& dtype : dtypes_of(op)) {
      Task task;
      task.op = op.name;
      task.dag = ops::build({op.name, preset.shape, preset.layout, dtype}).or_throw();
      for (const char* arch : {"sm_80", "sm_90a"}) {
        SCOPED_TRACE(op.name + " " + preset.name + " " + dtype + " " + arch);
        program(task, arch);
      }
    }
  }
}

std::vector<std::string> names() {
  std::vector<std::string> out;
  for (const ops::Operator* op : ops::catalog()) out.push_back(op->name);
  return out;
}

INSTANTIATE_TEST_SUITE_P(DISABLED_Ops, CompileSweep, ::testing::ValuesIn(names()), [](const auto& info) { return info.param; });

}  // namespace
}  // namespace tessera::search
