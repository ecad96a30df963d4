// Lesson 07: scan and extern
//
// Two kinds of stages besides `compute`. A scan computes the rows of a tensor one after the other, each
// from rows before it: running sums, filters, recurrent networks. An extern holds statements written
// by hand, for what no expression of the indices says: the rows of a sparse matrix.
//
// Build and run:   cmake --build build/release --target lesson_07_scan_and_extern
//                  build/release/lessons/07_scan_and_extern

#include "docs/lessons/lesson.h"
#include "dsl/dsl.h"
#include "dsl/evaluate.h"
#include "dsl/inputs.h"
#include "schedule/schedule.h"

using namespace tessera;
using namespace tessera::dsl;
using lesson::refused;
using lesson::require;
using lesson::show;
using schedule::Schedule;

// 1. A running sum.
//
// The state stands for the rows that are there already. `scan` says how the first row begins and how
// every later one follows; {0, 1} are its dimension and the number of first rows.
ComputeDag running_sum() {
  auto X = placeholder({64, 1024}, f32, "X");
  auto s = scan_state({64, 1024}, f32, "S");
  auto S = scan(
      s, {0, 1}, [&](Var t, Var j) { return X(t, j); },
      [&](Var t, Var j) { return s(t - 1, j) + X(t, j); });
  return ComputeDag::from_outputs({S}, "running_sum");
}

// Rows follow each other, columns never meet: a loop over columns may run outside of t, at once.
void columns_at_once() {
  Schedule s(running_sum());
  s.split("S", "i", {"i0", "i1"}, {16}).reorder("S", {"i0", "t", "i1"});
  s.parallel("S", "i0").vectorize("S", "i1");
  show("columns", s.state().print_loops(), R"(
for S.i0 in 0..64 parallel
  for S.t in 0..64 step
    for S.i1 in 0..16 vector
      S = ...
)");
  refused([] { Schedule(running_sum()).parallel("S", "t"); },
          "parallel: loop 't' of stage 'S' would be parallel: it steps along the scan, and each step "
          "reads the one before; take a loop over another dimension");
}

// 2. A recurrent network.
//
// The product of a step is a stage of its own. It reads the state, so it belongs to the step: it is
// computed inside of t, and nobody outside the scan may read it.
ComputeDag network() {
  auto X = placeholder({8, 4, 32}, f32, "X"), W = constant({32, 32}, f32, "W");
  auto h = scan_state({8, 4, 32}, f32, "H");
  auto k = reduce_axis(32, "k");
  auto past = compute(
      {8, 4, 32}, [&](Var t, Var b, Var i) { return sum(h(t - 1, b, k) * W(k, i), k); }, "past");
  auto H = scan(
      h, {}, [&](Var t, Var b, Var i) { return tanh(X(t, b, i)); },
      [&](Var t, Var b, Var i) { return tanh(X(t, b, i) + past(t, b, i)); });
  return ComputeDag::from_outputs({H}, "network");
}

void one_sequence_a_thread() {
  Schedule s(network());
  // Sequences never meet, so they may leave the steps; units do, so they may not.
  s.reorder("H", {"i", "t"}).parallel("H", "i");
  show("network", s.state().print_loops(), R"(
for H.i in 0..4 parallel
  for H.t in 0..8 step
    for past.i in 0..1
      for past.j in 0..1
        for past.k in 0..32
          for past.k_1 in 0..32 reduce
            past = ...
    for H.j in 0..32
      H = ...
)");
  refused([] { Schedule(network()).reorder("H", {"j", "t"}); },
          "reorder: loop 'j' of stage 'H' would run outside of 't', along which the scan steps: a step reads "
          "elements of 'j' other than its own, so a row is complete before the next");
}

// 3. Statements by hand.
//
// Y[i] is the sum of the values that row i of a sparse matrix has. The inner loop runs as often as the
// data say. `with_values` promises what `rows` holds, so that operands made for checks are valid.
ComputeDag row_sums() {
  auto rows = with_values(placeholder({9}, i32, "rows"), offsets(100));
  auto values = placeholder({100}, f32, "values");
  auto sums = extern_stage(
      {8}, {f32}, {rows, values},
      [](const std::vector<Buffer>& in, const std::vector<Buffer>& out) {
        const Var i = Var::fresh("i"), p = Var::fresh("p");
        const auto row = [&](const Expr& at) { return cast(i64, in[0].load({at})); };
        const ir::Stmt zero = ir::make_stmt<ir::Store>(out[0], Exprs{i}, Expr(0.0f));
        const ir::Stmt add = ir::make_stmt<ir::Store>(
            out[0], Exprs{i}, out[0].load({i}) + in[1].load({p}));
        const ir::Stmt inner = ir::make_stmt<ir::For>(
            p, row(i), row(i + 1) - row(i), ir::ForKind::kSerial, add);
        return ir::make_stmt<ir::For>(i, Expr(0), Expr(8), ir::ForKind::kParallel,
                                      ir::block({zero, inner}));
      },
      "sums", 100);
  auto Y = compute({8}, [&](Var i) { return sums[0](i) * 0.5f; }, "Y");
  return ComputeDag::from_outputs({Y}, "row_sums");
}

// The definition runs the statements too, and finds data that lead out of a buffer.
void bad_data_is_found() {
  const ComputeDag dag = row_sums();
  auto operands = make_inputs(dag, 1, InputKind::kExact);
  require(Evaluator(dag, operands).all("Y").ok(), "valid rows are summed");
  operands.at("rows").set_int(3, 1000);
  const auto bad = Evaluator(dag, operands).all("Y");
  require(!bad.ok(), "a row that ends past the values is refused");
  show("bad data", bad.reason());
  refused([] { Schedule(row_sums()).split("sums", "i", {"a", "b"}, {4}); },
          "split: stage 'sums' is extern: its statements stay as they were written; split needs a stage that "
          "is computed by an expression");
}

int main() {
  columns_at_once();
  one_sequence_a_thread();
  bad_data_is_found();
}
