// Lesson 06: a sketch rule of your own
//
// The search draws its schedules from sketches: steps with holes, and limits between the holes. Rules make
// them, one alternative after the other, and a program may bring its own. Here a rule for sums of columns:
// several vectors of columns side by side, rows in chunks.
//
// Build and run:   cmake --build build/release --target lesson_06_a_sketch_rule
//                  build/release/lessons/06_a_sketch_rule

#include <set>

#include "docs/lessons/lesson.h"
#include "driver/compile.h"
#include "dsl/dsl.h"
#include "search/cpu_measurer.h"
#include "search/search.h"

using namespace tessera;
using namespace tessera::dsl;
using lesson::require;
using lesson::show;
using search::SketchBuilder;
using search::Verdict;

ComputeDag column_sums() {
  auto X = placeholder({512, 256}, f32, "X");
  auto r = reduce_axis(512, "r");
  auto Y = compute({256}, [&](Var j) { return sum(X(r, j), {r}); }, "Y");
  return ComputeDag::from_outputs({Y}, "column_sums");
}

// 1. When the rule applies.
//
// It is asked about one stage at a time. Passing is the normal answer; `kApply` adds alternatives and lets
// later rules add theirs, `kApplyAndSkipRest` keeps them out.
Verdict meets(const SketchBuilder& b, const std::string& stage) {
  const schedule::Stage& s = b.stage(stage);
  return s.is_reduction() && s.data_axes().size() == 1 ? Verdict::kApply : Verdict::kPass;
}

// 2. What it does.
//
// Steps go to the builder. A number to be chosen is a hole with a domain; what holes must satisfy together
// is a limit, here that all accumulators fit the registers. A step that refuses ends the alternative.
Result<SketchBuilder> wide_columns(SketchBuilder b, const std::string& stage) {
  const int lanes = b.task().target.lanes(4);
  const std::string acc = stage + ".sums", column = b.stage(stage).data_axes()[0];
  const schedule::Param width = b.hole(stage + ".vectors", {1, 2, 4, 8, 16});
  b.require({"register file", {{1, {stage + ".vectors"}}}, 0, b.task().target.vector_registers - 2});
  TESSERA_TRY_DONE(b.step(schedule::CacheWrite{stage, acc, ir::Scope::kGlobal}));
  TESSERA_TRY_DONE(b.step(schedule::Split{stage, column, {"outer", "several", "lane"}, {width, lanes}, ir::Tail::kPartition}));
  TESSERA_TRY_DONE(b.step(schedule::Unroll{stage, "several"}));
  TESSERA_TRY_DONE(b.step(schedule::Vectorize{stage, "lane"}));
  TESSERA_TRY_DONE(b.step(schedule::ComputeAt{acc, stage, "outer"}));
  TESSERA_TRY_DONE(b.step(schedule::SetScope{acc, ir::Scope::kRegister}));
  TESSERA_TRY_DONE(b.step(schedule::Split{acc, column, {"several", "lane"}, {lanes}, ir::Tail::kPartition}));
  TESSERA_TRY_DONE(b.step(schedule::Reorder{acc, {"r", "several", "lane"}}));
  TESSERA_TRY_DONE(b.step(schedule::Unroll{acc, "several"}));
  TESSERA_TRY_DONE(b.step(schedule::Vectorize{acc, "lane"}));
  b.finish(stage);
  b.finish(acc);
  b.add_name("wide_columns");
  return b;
}

std::vector<SketchBuilder> expand(const SketchBuilder& b, const std::string& stage) {
  auto made = wide_columns(b, stage);
  if (!made.ok()) return {};
  return {std::move(*made)};
}

int main() {
  search::Task task;
  task.dag = column_sums();
  task.op = "column_sums";
  task.target = driver::resolve_target("cpu");
  task.threads = 1;

  // 3. The space.
  //
  // The caller's rules are asked before the builtin ones.
  const search::Rule rule{"wide_columns", meets, expand};
  const std::vector<search::Sketch> sketches = search::generate_sketches(task, {rule});
  for (const search::Sketch& s : sketches) std::printf("%s\n", s.name.c_str());
  require(sketches.front().name == "wide_columns", "ours is the first sketch");
  show("our sketch", sketches.front().text());

  // 4. The search.
  //
  // Its points compete with all others; every candidate is built, checked and timed.
  search::CpuTaskMeasurer measurer(task, 1);
  search::SearchOptions options;
  options.trials = 24;
  options.rules = {rule};
  std::set<std::string> tried;
  search::SearchHooks hooks;
  hooks.trial = [&](const search::Trial& t) {
    require(t.ok(), "every candidate is right: " + t.measurement.message);
    tried.insert(t.candidate.sketch);
  };
  const search::SearchResult result = search::Search(task, options).run(measurer, hooks);
  require(tried.count("wide_columns") == 1, "ours was tried");
  require(result.rejected == 0 && result.best.has_value(), "nothing was proposed that could not be applied");
  std::printf("best of %d trials: %s, %.1f us\n", result.progress.trials, result.best->candidate.sketch.c_str(),
              static_cast<double>(result.best->measurement.median_ns()) * 1e-3);
}
