// What a candidate costs the search before it is built: drawing it, replaying it, summarising it,
// lowering it.   ninja -C build/release bench && build/release/bench/candidates
#include <benchmark/benchmark.h>

#include "driver/compile.h"
#include "ops/catalog.h"
#include "schedule/summary.h"
#include "search/sketch.h"

namespace {

using namespace tessera;

struct Fixture {
  search::Task task;
  std::vector<search::Sketch> sketches;

  explicit Fixture(const char* op) {
    task.op = op;
    task.dag = ops::build({.op = op, .shape = {}, .layout = "", .dtype = ""}).or_throw();
    task.target = driver::resolve_target("cpu");
    sketches = search::generate_sketches(task);
  }
  schedule::StepList point(Rng& rng) const {
    const search::Sketch& s = rng.pick(sketches);
    return schedule::fill_holes(s.steps, s.space.decisions(*s.space.sample(rng))).or_throw();
  }
};

const Fixture& fixture(std::int64_t which) {
  static const Fixture kAll[] = {Fixture("matmul"), Fixture("conv2d"), Fixture("softmax")};
  return kAll[which];
}

void sample(benchmark::State& state) {
  const Fixture& f = fixture(state.range(0));
  Rng rng(1);
  for (auto _ : state) benchmark::DoNotOptimize(f.point(rng));
  state.SetLabel(f.task.op);
}

void replay(benchmark::State& state) {
  const Fixture& f = fixture(state.range(0));
  Rng rng(1);
  for (auto _ : state) benchmark::DoNotOptimize(driver::scheduled(f.task.dag, f.point(rng)).ok());
  state.SetLabel(f.task.op);
}

void summarize(benchmark::State& state) {
  const Fixture& f = fixture(state.range(0));
  Rng rng(1);
  const schedule::State s = driver::scheduled(f.task.dag, f.point(rng)).or_throw();
  for (auto _ : state) benchmark::DoNotOptimize(schedule::summarize(s).ok());
  state.SetLabel(f.task.op);
}

void lower(benchmark::State& state) {
  const Fixture& f = fixture(state.range(0));
  Rng rng(1);
  for (auto _ : state) benchmark::DoNotOptimize(driver::finished_program(f.task.dag, f.point(rng), f.task.target).ok());
  state.SetLabel(f.task.op);
}

BENCHMARK(sample)->DenseRange(0, 2);
BENCHMARK(replay)->DenseRange(0, 2);
BENCHMARK(summarize)->DenseRange(0, 2);
BENCHMARK(lower)->DenseRange(0, 2);

}  // namespace
