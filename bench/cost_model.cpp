// What the cost model costs the search: summaries and features of candidates, a refit, scores of a pool.
//   ninja -C build/release bench && build/release/bench/cost_model
#include <benchmark/benchmark.h>

#include "cost_model/model.h"
#include "driver/compile.h"
#include "ops/catalog.h"
#include "schedule/summary.h"
#include "schedule/summary_template.h"
#include "search/sketch.h"

namespace {

using namespace tessera;

struct Pool {
  cost_model::Machine machine;
  std::vector<ir::NestSummary> nests;
  std::vector<cost_model::Features> features;
  std::vector<double> ns;  // made up: the draft, a little off

  Pool() {
    search::Task task;
    task.op = "matmul";
    task.dag = ops::build({.op = task.op, .shape = {}, .layout = "", .dtype = ""}).or_throw();
    task.target = driver::resolve_target("cpu");
    machine = cost_model::make_machine(task.target, 1, {});
    const std::vector<search::Sketch> sketches = search::generate_sketches(task);
    Rng rng(1);
    for (int i = 0; i < 1000; ++i) {
      const search::Sketch& s = sketches[static_cast<std::size_t>(i) % sketches.size()];
      const schedule::StepList steps = schedule::fill_holes(s.steps, s.space.decisions(*s.space.sample(rng))).or_throw();
      nests.push_back(schedule::summarize(driver::scheduled(task.dag, steps).or_throw()).or_throw());
      features.push_back(cost_model::extract(nests.back(), machine));
      ns.push_back(cost_model::draft_ns(features.back().terms, cost_model::default_draft()) * (0.8 + 0.4 * rng.uniform()));
    }
  }
};

const Pool& pool() {
  static const Pool kPool;
  return kPool;
}

void extract(benchmark::State& state) {
  const Pool& p = pool();
  cost_model::Features out;
  std::size_t i = 0, statements = 0;
  for (auto _ : state) {
    cost_model::extract(p.nests[i], p.machine, out);
    statements += p.nests[i].statements.size();
    i = (i + 1) % p.nests.size();
  }
  state.SetItemsProcessed(state.iterations());
  state.counters["statements"] = static_cast<double>(statements) / static_cast<double>(state.iterations());
}

/// One sketch of an operator by numbers: its template and points of its space.
struct Drawn {
  cost_model::Machine machine;
  schedule::State initial;
  schedule::StepList steps;
  std::vector<search::Values> points;
  std::vector<schedule::StepList> filled;
  schedule::SummaryTemplate summaries;

  /// The sketch whose name ends in `ending`.
  static Drawn of(const std::string& op, const std::string& ending) {
    search::Task task;
    task.op = op;
    task.dag = ops::build({.op = op, .shape = {}, .layout = "", .dtype = ""}).or_throw();
    task.target = driver::resolve_target("cpu");
    const auto initial = schedule::State::initial(std::make_shared<const dsl::ComputeDag>(task.dag)).or_throw();
    for (const search::Sketch& s : search::generate_sketches(task)) {
      if (!s.name.ends_with(ending)) continue;
      std::vector<std::string> holes;
      for (const search::Hole& h : s.space.holes()) holes.push_back(h.name);
      Rng rng(1);
      std::vector<search::Values> points;
      std::vector<schedule::StepList> filled;
      for (int i = 0; i < 1000; ++i) {
        points.push_back(*s.space.sample(rng));
        filled.push_back(schedule::fill_holes(s.steps, s.space.decisions(points.back())).or_throw());
      }
      auto made = schedule::SummaryTemplate::make(initial, s.steps, holes, std::span(points).first(8)).or_throw();
      return {cost_model::make_machine(task.target, 1, {}), initial, s.steps, std::move(points), std::move(filled), std::move(made)};
    }
    throw UserError("no sketch of " + op + " ends in " + ending);
  }
};

void replayed(benchmark::State& state, const std::string& op, const std::string& ending) {
  const Drawn d = Drawn::of(op, ending);
  std::size_t i = 0;
  for (auto _ : state) {
    benchmark::DoNotOptimize(schedule::summarize(schedule::replay(d.initial, d.filled[i]).or_throw()).or_throw());
    i = (i + 1) % d.filled.size();
  }
  state.SetItemsProcessed(state.iterations());
}

void summarized(benchmark::State& state, const std::string& op, const std::string& ending, bool features) {
  const Drawn d = Drawn::of(op, ending);
  ir::NestSummary nest;
  cost_model::Features out;
  std::size_t i = 0, told = 0;
  for (auto _ : state) {
    told += d.summaries.evaluate(d.points[i], nest) ? 1 : 0;
    if (features) cost_model::extract(nest, d.machine, out);
    i = (i + 1) % d.points.size();
  }
  state.SetItemsProcessed(state.iterations());
  state.counters["told"] = static_cast<double>(told) / static_cast<double>(state.iterations());
}

cost_model::CostModel measured_model(std::int64_t points) {
  const Pool& p = pool();
  cost_model::CostModel m(nullptr, {});
  for (std::size_t i = 0; i < static_cast<std::size_t>(points); ++i) m.add(p.features[i], p.ns[i]);
  return m;
}

void refit(benchmark::State& state) {
  cost_model::CostModel m = measured_model(state.range(0));
  for (auto _ : state) m.refit();
  std::size_t rows = 0;
  for (std::size_t i = 0; i < static_cast<std::size_t>(state.range(0)); ++i) rows += pool().features[i].rows();
  state.counters["rows"] = static_cast<double>(rows);
}

void score(benchmark::State& state) {
  cost_model::CostModel m = measured_model(200);
  m.refit();
  std::vector<cost_model::Score> out(pool().features.size());
  for (auto _ : state) m.score(pool().features, out);
  state.SetItemsProcessed(state.iterations() * static_cast<std::int64_t>(out.size()));
}

#define TESSERA_OF_SKETCH(label, op, ending)                                 \
  BENCHMARK_CAPTURE(replayed, label, op, ending);                            \
  BENCHMARK_CAPTURE(summarized, label##_template, op, ending, false);        \
  BENCHMARK_CAPTURE(summarized, label##_template_and_features, op, ending, true)

BENCHMARK(extract);
TESSERA_OF_SKETCH(matmul_packed, "matmul", "register_tile.pack");
TESSERA_OF_SKETCH(matmul_blocked, "matmul", "multi_level_tiling.pack");
TESSERA_OF_SKETCH(conv2d, "conv2d", "register_tile.pack");
TESSERA_OF_SKETCH(softmax, "softmax", "row_fusion");
BENCHMARK(refit)->Arg(16)->Arg(200)->Arg(1000)->Unit(benchmark::kMillisecond);
BENCHMARK(score)->Unit(benchmark::kMillisecond);

}  // namespace
