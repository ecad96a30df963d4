// Sketches of every operator: each sampled point replays, and its summary without lowering is the
// summary of its lowered loops.
#include "search/sketch.h"

#include <gtest/gtest.h>

#include "codegen/cuda/source.h"
#include "driver/compile.h"
#include "ops/catalog.h"
#include "schedule/summary.h"

namespace tessera::search {
namespace {

Task task_of(const std::string& op, int threads) {
  Task t;
  t.op = op;
  t.dag = ops::build({.op = op, .shape = {}, .layout = "", .dtype = ""}).or_throw();
  t.target = driver::resolve_target("cpu");
  t.threads = threads;
  return t;
}

class EveryOperator : public testing::TestWithParam<std::string> {};

TEST_P(EveryOperator, PointsReplay) {
  for (const int threads : {1, 2}) {
    const Task task = task_of(GetParam(), threads);
    const std::vector<Sketch> sketches = generate_sketches(task);
    ASSERT_FALSE(sketches.empty());
    for (const Sketch& s : sketches) {
      Rng rng(11);
      for (int i = 0; i < 12; ++i) {
        const auto point = s.space.sample(rng);
        ASSERT_TRUE(point.has_value()) << s.name;
        const auto state = driver::scheduled(task.dag, schedule::fill_holes(s.steps, s.space.decisions(*point)).or_throw());
        EXPECT_TRUE(state.ok()) << s.name << ": " << (state.ok() ? "" : state.reason());
      }
    }
  }
}

// The mean of a row is a quotient: it is neither repeated for every element nor cut into vectors of one.
TEST(Sketches, AQuotientOfARowIsComputedOnceARow) {
  const std::vector<Sketch> sketches = generate_sketches(task_of("layer_norm", 1));
  ASSERT_FALSE(sketches.empty());
  for (const Sketch& s : sketches) {
    bool at_row = false;
    for (const schedule::Step& step : s.steps) {
      const auto* inlined = std::get_if<schedule::ComputeInline>(&step);
      EXPECT_FALSE(inlined != nullptr && inlined->stage == "Xmean") << s.name;
      const auto* placed = std::get_if<schedule::ComputeAt>(&step);
      at_row |= placed != nullptr && placed->stage == "Xmean" && placed->at == "Y";
    }
    EXPECT_TRUE(at_row) << s.name;
    for (const Hole& h : s.space.holes()) EXPECT_FALSE(h.name.starts_with("Xmean") || h.name.starts_with("Xscale")) << h.name;
  }
}

TEST_P(EveryOperator, SummaryWithoutLoweringIsThatOfTheLoops) {
  const Task task = task_of(GetParam(), 2);
  for (const Sketch& s : generate_sketches(task)) {
    Rng rng(5);
    for (int i = 0; i < 3; ++i) {
      const auto point = s.space.sample(rng);
      ASSERT_TRUE(point.has_value());
      const schedule::StepList steps = schedule::fill_holes(s.steps, s.space.decisions(*point)).or_throw();
      const auto state = driver::scheduled(task.dag, steps);
      ASSERT_TRUE(state.ok());
      const ir::NestSummary quick = schedule::summarize(*state).or_throw();
      const ir::NestSummary loops = ir::summarize(driver::structured_loops(task.dag, steps, task.target).or_throw());
      ASSERT_EQ(quick.statements.size(), loops.statements.size()) << s.name;
      for (std::size_t k = 0; k < quick.statements.size(); ++k) {
        EXPECT_EQ(quick.statements[k].stage, loops.statements[k].stage);
        if (s.name.starts_with("winograd")) {
          // Its tiles are numbered through, and the state bounds a band of them more tightly than the
          // ranges of the lowered extents show.
          ASSERT_EQ(quick.statements[k].loops.size(), loops.statements[k].loops.size());
          for (std::size_t l = 0; l < loops.statements[k].loops.size(); ++l) {
            EXPECT_LE(quick.statements[k].loops[l].extent, loops.statements[k].loops[l].extent) << quick.statements[k].stage;
          }
        } else {
          EXPECT_EQ(quick.statements[k].loops, loops.statements[k].loops) << s.name << " " << quick.statements[k].stage;
        }
        EXPECT_EQ(quick.statements[k].ops, loops.statements[k].ops) << s.name << " " << quick.statements[k].stage;
        EXPECT_EQ(quick.statements[k].accesses, loops.statements[k].accesses) << s.name << " " << quick.statements[k].stage;
      }
    }
  }
}

std::vector<std::string> operator_names() {
  std::vector<std::string> out;
  for (const ops::Operator* op : ops::catalog()) out.push_back(op->name);
  return out;
}

/// Points of spaces whose limits do not follow from a shape at a glance: chunks of rows, patches of groups of channels, rows
/// of a recurrence shared out to threads.
TEST(KernelSketches, EveryPointIsPrinted) {
  const std::vector<ops::Request> requests{{"norm", {{"b", 2}, {"m", 256}, {"n", 256}}, "", "f32"},
                                           {"norm", {{"m", 512}, {"n", 768}}, "", "f32"},
                                           {"capsule_conv2d", {}, "", "f16"},
                                           {"rnn", {}, "", ""},
                                           {"rnn", {{"seq", 3}, {"batch", 5}, {"hidden", 37}}, "", ""},
                                           {"rnn", {{"seq", 2}, {"batch", 1}, {"hidden", 1100}}, "", ""}};
  for (const ops::Request& r : requests) {
    Task task;
    task.op = r.op;
    task.dag = ops::build(r).or_throw();
    task.target = driver::resolve_target("cuda -arch=sm_80");
    Rng rng(3);
    for (const Sketch& s : generate_sketches(task)) {
      for (int i = 0; i < 20; ++i) {
        const auto point = s.space.sample(rng);
        ASSERT_TRUE(point.has_value()) << r.op << " " << s.name;
        const auto steps = schedule::fill_holes(s.steps, s.space.decisions(*point)).or_throw();
        const auto finished = driver::finished_program(task.dag, steps, task.target);
        ASSERT_TRUE(finished.ok()) << r.op << " " << s.name << ": " << finished.reason();
        const auto source = codegen::cuda_source(*finished);
        ASSERT_TRUE(source.ok()) << r.op << " " << s.name << ": " << source.reason();
      }
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Catalogue, EveryOperator, testing::ValuesIn(operator_names()), [](const auto& info) { return info.param; });

}  // namespace
}  // namespace tessera::search
