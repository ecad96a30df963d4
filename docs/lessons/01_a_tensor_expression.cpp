// Lesson 01: a tensor expression
//
// A program for Tessera says what each element of its result is. It says nothing about loops,
// tiles, vectors or threads. In this lesson we write a matrix product with an addition that no
// catalogue has, ask for the value of a few of its elements, let the tuner find a fast kernel for
// it on this machine, and build that kernel again from the log alone.
//
// Build and run:   cmake --build build/release --target lesson_01_a_tensor_expression
//                  build/release/lessons/01_a_tensor_expression
//
// Every lesson is a program that runs among the tests. Texts quoted in R"( )" are what it prints.

#include <filesystem>

#include "docs/lessons/lesson.h"
#include "driver/compile.h"
#include "dsl/dsl.h"
#include "dsl/evaluate.h"
#include "dsl/inputs.h"
#include "search/cpu_measurer.h"
#include "search/session.h"
#include "support/version.h"
#include "tuning_logs/query.h"

using namespace tessera;
using namespace tessera::dsl;
using lesson::require;
using lesson::show;

// 1. The expression.
//
// `placeholder` is an input that may change at every run, `constant` one whose values are known
// before the first run (weights): a schedule may prepare it once, in an order that the kernel likes
// better. A `reduce_axis` is summed over. Names show in everything that is printed, so they are
// worth giving.
ComputeDag shifted_matmul(int m, int n, int k) {
  auto A = placeholder({m, k}, f32, "A"), B = constant({k, n}, f32, "B"),
       shift = placeholder({n}, f32, "shift");
  auto r = reduce_axis(k, "k");
  auto C = compute(
      {m, n}, [&](Var i, Var j) { return sum(A(i, r) * B(r, j), r); }, "C");
  auto D = compute(
      {m, n}, [&](Var i, Var j) { return max(C(i, j) + shift(j), 0.0f); }, "D");
  return ComputeDag::from_outputs({D}, "shifted_matmul");
}

// 2. What it means.
//
// The Evaluator computes single elements straight from the definition: no schedule, no lowering, no
// simplifier. It is slow and independent, which is what an oracle should be. With small integers as
// inputs every intermediate value is exact, so every schedule must give the very same bits.
void evaluate_points(const ComputeDag& dag) {
  show("the program", dag.to_string(), R"(
A: f32[64, 64]
B: f32[64, 64] constant
C[i<64, j<64] = sum(A[i, k] * B[k, j], k), k<64
shift: f32[64]
D[i<64, j<64] = max(C[i, j] + shift[j], 0.0)
)");

  std::map<std::string, ir::Tensor> inputs;
  for (const Stage* s : dag.inputs()) {
    ir::Tensor t(s->outputs[0]->dtype, s->name == "shift" ? std::vector<std::int64_t>{64}
                                                          : std::vector<std::int64_t>{64, 64});
    for (std::int64_t i = 0; i < t.size(); ++i) t.set(i, s->name == "shift" ? -100 : i % 3);
    inputs[s->name] = t;
  }
  Evaluator reference(dag, inputs, EvaluateMode::kExact);
  const Evaluation points = reference.at("D", {0, 1, 64, 4095})
                                .or_throw();  // row-major: D[0, 0], D[0, 1], D[1, 0], D[63, 63]
  std::string text;
  for (const ir::Scalar& v : points.values) text += std::to_string(static_cast<int>(v.f)) + " ";
  show("four elements of D", text, R"(
5 0 0 5 
)");

  // The same by hand, for D[1, 0].
  int by_hand = -100;
  for (int k = 0; k < 64; ++k) by_hand += ((64 + k) % 3) * ((64 * k) % 3);
  require(points.values[2].f == std::max(by_hand, 0), "D[1, 0] is what a loop by hand computes");
}

// 3. Finding a kernel.
//
// A task is a program, a target and a number of threads. A session searches: it proposes plans,
// builds and runs each in processes of their own, checks every kernel against the reference before
// it times it, and writes one line to the log for each. This is what `autotune --trials 8` does as
// well.
void tune(const search::Task& task, const std::string& log) {
  search::SessionOptions options;
  options.search.trials = 8;
  options.search.seed = 1;
  options.log = log;
  options.tool = kToolVersion;
  search::CpuTaskMeasurer measurer(task, options.search.seed);
  search::SearchHooks hooks;
  hooks.trial = [](const search::Trial& t) {
    std::printf("trial %d  %-28s %s\n", t.candidate.trial, t.candidate.sketch.c_str(),
                t.ok() ? (std::to_string(t.measurement.min_ns()) + " ns").c_str()
                       : t.measurement.message.c_str());
  };
  const search::SearchResult result = search::run_session(task, options, measurer, hooks);
  require(result.progress.trials == 8 && result.progress.ok == 8,
          "all eight candidates run and are right");
  require(result.rejected == 0, "nothing is proposed that must be rejected");
  require(result.best.has_value(), "one of them is the best");
}

// 4. Replaying.
//
// A record carries the program and the plan, so nothing of the above is needed to build its kernel
// again: read the log, take the best record, build, measure. `autotune replay LOG` does this.
void replay(const search::Task& task, const std::string& log) {
  const tuning_logs::LogContents contents = tuning_logs::read_records(log);
  require(contents.scan.damaged == 0, "the log is whole");
  const auto best = tuning_logs::best_record(contents);
  require(best.has_value(), "the log has a best record");
  const ComputeDag dag = tuning_logs::dag(*best).or_throw();
  require(dag.hash() == task.dag.hash(), "the record carries the program itself");

  driver::Builder builder;
  runtime::CpuMeasurer runner;
  const driver::Reference reference = driver::make_reference(dag, task.target, 1, builder, runner);
  runner.install(reference.data);
  const driver::BuildResult built = builder.build(dag, best->plan, task.target);
  require(built.image.has_value(), "the plan builds: " + built.message);
  const runtime::Measurement m = runner.measure(*built.image, {});
  require(m.ok(), "the rebuilt kernel is right: " + m.message);
  std::printf("replayed: %lld ns, logged %lld ns\n", static_cast<long long>(m.median_ns()),
              static_cast<long long>(best->median_ns()));
  show("its loops", driver::scheduled(dag, best->plan).or_throw().print_loops());
}

int main() {
  search::Task task;
  task.dag = shifted_matmul(64, 64, 64);
  task.target = driver::resolve_target("cpu");  // this machine; "cpu -mcpu=x86-64-v3" also works
  task.threads = 1;
  task.op = "shifted_matmul";
  evaluate_points(task.dag);
  const std::string log = "lesson_01.jsonl";
  std::filesystem::remove(log);
  tune(task, log);
  replay(task, log);
}
