// Lesson 03: split, reorder, vectorize
//
// A schedule is a list of small steps. Each names what it touches and what it makes, each is
// checked when it is applied, and none changes what the program computes. In this lesson the
// default loops of a matrix product become a register tile: the shape that fast kernels have.
//
// Build and run:   cmake --build build/release --target lesson_03_split_reorder_vectorize
//                  build/release/lessons/03_split_reorder_vectorize

#include "docs/lessons/lesson.h"
#include "driver/compile.h"
#include "driver/reference.h"
#include "dsl/dsl.h"
#include "ir/print.h"
#include "runtime/cpu/host.h"
#include "schedule/schedule.h"

using namespace tessera;
using namespace tessera::dsl;
using lesson::refused;
using lesson::require;
using lesson::show;
using schedule::Schedule;

constexpr int M = 64, N = 48, K = 40;

ComputeDag matmul() {
  auto A = placeholder({M, K}, f32, "A"), B = placeholder({K, N}, f32, "B");
  auto k = reduce_axis(K, "k");
  return ComputeDag::from_outputs(
      {compute(
          {M, N}, [&](Var i, Var j) { return sum(A(i, k) * B(k, j), k); }, "C")},
      "matmul");
}

ComputeDag matmul_relu() {
  auto A = placeholder({M, K}, f32, "A"), B = placeholder({K, N}, f32, "B");
  auto k = reduce_axis(K, "k");
  auto C = compute(
      {M, N}, [&](Var i, Var j) { return sum(A(i, k) * B(k, j), k); }, "C");
  return ComputeDag::from_outputs(
      {compute(
          {M, N}, [&](Var i, Var j) { return max(C(i, j), 0.0f); }, "D")},
      "matmul_relu");
}

// 1. Splitting a loop.
//
// One loop becomes two, and the names of the new ones are ours. 64 is no multiple of 6: the last
// tile has four rows. Nothing else changes; how the rest is realised is decided at the end of
// lowering.
void split() {
  Schedule s(matmul());
  s.split("C", "i", {"i0", "i1"}, {6});
  show("split i by 6", s.state().print_loops(), R"(
for C.i0 in 0..11
  for C.i1 in 0..6
    for C.j in 0..48
      for C.k in 0..40 reduce
        C = ...
)");
  const auto loops =
      driver::structured_loops(matmul(), s.steps(), driver::resolve_target("cpu")).or_throw();
  require(ir::to_string(loops).find("for i1 in 0..min(6, 64 - i0 * 6)") != std::string::npos,
          "the last tile is shorter");
}

// 2. Reordering.
//
// With both loops split, the inner pieces can go inside the reduction: a tile of 6 x 16 results is
// updated for each k. The initialisation moves by itself, to just outside the reduction loop.
void reorder() {
  Schedule s(matmul());
  s.split("C", "i", {"i0", "i1"}, {6}).split("C", "j", {"j0", "j1"}, {16});
  s.reorder("C", {"i0", "j0", "k", "i1", "j1"});
  show("reordered", s.state().print_loops(), R"(
for C.i0 in 0..11
  for C.j0 in 0..3
    for C.k in 0..40 reduce
      for C.i1 in 0..6
        for C.j1 in 0..16
          C = ...
)");

  // 3. How loops run.
  //
  // `vectorize` makes the iterations of a loop the lanes of vector values, `unroll` repeats the
  // body, `parallel` gives iterations to threads.
  s.parallel("C", "i0").unroll("C", "i1").vectorize("C", "j1");
  show("annotated", s.state().print_loops(), R"(
for C.i0 in 0..11 parallel
  for C.j0 in 0..3
    for C.k in 0..40 reduce
      for C.i1 in 0..6 unroll
        for C.j1 in 0..16 vector
          C = ...
)");
}

// 4. What is refused.
//
// A step that would change the result, or that names what is not there, does not apply. The reason
// says what would work.
void refusals() {
  refused([] { Schedule(matmul()).parallel("C", "k"); },
          "parallel: loop 'k' of stage 'C' is a reduction: its iterations write the same element; "
          "parallelise a data loop or rfactor it");
  refused([] { Schedule(matmul()).vectorize("C", "k"); },
          "vectorize: loop 'k' of stage 'C' is a reduction: its iterations add to one element; "
          "rfactor it and vectorize the new data axis");
  refused(
      [] {
        Schedule(matmul()).split("C", "q", {"q0", "q1"}, {4});
      },
      "split: 'q' is no axis of stage 'C'; its loops are i, j, k");
  refused([] { Schedule(matmul_relu()).compute_inline("C"); },
          "compute_inline: stage 'C' is a reduction; only elementwise stages are inlined");
}

// 5. Computing a stage where it is needed.
//
// `compute_at` moves a producer into a loop of its consumer. Only the box that is needed there is
// computed: eight rows of C, not 64. Its buffer shrinks with it.
void compute_at() {
  Schedule s(matmul_relu());
  s.split("D", "i", {"i0", "i1"}, {8}).compute_at("C", "D", "i0");
  show("C where D needs it", s.state().print_loops(), R"(
for D.i0 in 0..8
  for C.i in 0..8
    for C.j in 0..48
      for C.k in 0..40 reduce
        C = ...
  for D.i1 in 0..8
    for D.j in 0..48
      D = ...
)");
  const auto loops =
      driver::structured_loops(matmul_relu(), s.steps(), driver::resolve_target("cpu")).or_throw();
  require(ir::to_string(loops).find("alloc C: f32[8, 48]") != std::string::npos,
          "the buffer of C holds one box");
}

// 6. A register tile.
//
// In the loops of 3 every update reads and writes C in memory. `cache_write` computes the product
// in a stage of its own, `C.acc`, and makes C a copy of it; computed at each tile and kept in
// registers, 4 x 16 accumulators live through the whole k loop. In the finished program `C.acc`
// still looks like a buffer; with scope `register` each of its rows is a value that never sees
// memory.
schedule::StepList register_tile() {
  Schedule s(matmul());
  s.cache_write("C", "C.acc");
  s.split("C", "i", {"i0", "i1"}, {4})
      .split("C", "j", {"j0", "j1"}, {16})
      .reorder("C", {"i0", "j0", "i1", "j1"});
  s.compute_at("C.acc", "C", "j0").set_scope("C.acc", ir::Scope::kRegister);
  s.reorder("C.acc", {"k", "i", "j"}).unroll("C.acc", "i").vectorize("C.acc", "j");
  s.unroll("C", "i1").vectorize("C", "j1").parallel("C", "i0");
  show("a register tile", s.state().print_loops(), R"(
for C.i0 in 0..16 parallel
  for C.j0 in 0..3
    for C.acc.k in 0..40 reduce
      for C.acc.i in 0..4 unroll
        for C.acc.j in 0..16 vector
          C.acc = ...  (register)
    for C.i1 in 0..4 unroll
      for C.j1 in 0..16 vector
        C = ...
)");
  const std::string text = ir::to_string(
      driver::finished_program(matmul(), s.steps(), driver::resolve_target("cpu")).or_throw());
  show("finished", text);
  require(
      text.find("C.acc[ramp(0, 1, 16)] = C.acc[ramp(0, 1, 16)] + broadcast(A[i0 * 160 + k], 16) * "
                "B[ramp(k * 48 + j0 * 16, 1, 16)]") != std::string::npos,
      "the inner statement is one vector multiply-add");
  return s.steps();
}

// 7. A plan is data.
//
// The steps are what logs hold and what the search makes: text both ways, the same kernel every
// time.
void as_data(const schedule::StepList& steps) {
  std::string text;
  for (const schedule::Step& step : steps) text += schedule::to_string(step) + "\n";
  show("the steps", text, R"(
cache_write(C, into C.acc)
split(C, axis i, into [i0 i1], factors [4])
split(C, axis j, into [j0 j1], factors [16])
reorder(C, order [i0 j0 i1 j1])
compute_at(C.acc, at C, axis j0)
set_scope(C.acc, scope register)
reorder(C.acc, order [k i j])
unroll(C.acc, axis i)
vectorize(C.acc, axis j)
unroll(C, axis i1)
vectorize(C, axis j1)
parallel(C, axis i0)
)");
  const Json json = to_json_value(schedule::Plan(steps));
  show("the first as JSON", dump_json(json["steps"][0]), R"(
{"cache_write":{"stage":"C","into":"C.acc"}}
)");
  schedule::Plan read;
  from_json_value(json, read).or_throw();
  require(read == schedule::Plan(steps), "a plan reads back equal");
}

// 8. Right, and faster.
//
// Both kernels are checked against the definition, then timed. Only that the tile wins is certain;
// by how much is this machine's business.
void measure(const schedule::StepList& tile) {
  const ComputeDag dag = matmul();
  const ir::Target target = driver::resolve_target("cpu");
  driver::Builder builder;
  runtime::CpuMeasurer runner;
  runner.install(driver::make_reference(dag, target, 1, builder, runner).data);
  const auto time_of = [&](const schedule::StepList& steps) {
    const driver::BuildResult built = builder.build(dag, steps, target);
    require(built.image.has_value(), "it builds: " + built.message);
    const runtime::Measurement m = runner.measure(*built.image, {});
    require(m.ok(), "it is right: " + m.message);
    return static_cast<double>(m.min_ns());
  };
  const double plain = time_of({}), tiled = time_of(tile);
  std::printf("plain loops %.0f ns, register tile %.0f ns: %.1f times faster\n", plain, tiled,
              plain / tiled);
  require(tiled < plain, "the register tile is faster");
}

int main() {
  split();
  reorder();
  refusals();
  compute_at();
  const schedule::StepList tile = register_tile();
  as_data(tile);
  measure(tile);
}
