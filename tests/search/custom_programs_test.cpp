// Programs that no catalogue holds, tuned for real: each candidate is built, checked against the
// reference and timed in the servers.
#include <gtest/gtest.h>

#include "driver/compile.h"
#include "dsl/dsl.h"
#include "dsl/text.h"
#include "search/cpu_measurer.h"
#include "search/search.h"

namespace tessera::search {
namespace {

using namespace tessera::dsl;

void expect_tunes(ComputeDag dag, int trials = 10) {
  Task task;
  task.op = dag.name();
  task.dag = std::move(dag);
  task.target = driver::resolve_target("cpu");
  task.threads = 1;
  CpuTaskMeasurer measurer(task, 1);
  SearchHooks hooks;
  hooks.trial = [](const Trial& t) {
    EXPECT_TRUE(t.ok()) << t.candidate.sketch << ": " << runtime::to_string(t.measurement.status) << " " << t.measurement.message;
  };
  const SearchResult r = Search(task, {.trials = trials, .seed = 3}).run(measurer, hooks);
  EXPECT_TRUE(r.best.has_value());
  EXPECT_GT(r.progress.ok, 0);
  EXPECT_EQ(r.rejected, 0);
}

ComputeDag text(const std::string& expr, const std::string& where, Type dtype = f32) {
  StatementOptions o;
  o.dtype = dtype;
  return parse_statement(expr, where, o).or_throw();
}

TEST(CustomProgram, ThreeOperandEinsum) { expect_tunes(text("O[i,j] += A[i,k] * B[k,l] * C[l,j]", "i=24,j=40,k=19,l=23")); }
TEST(CustomProgram, MaxPlusProduct) { expect_tunes(text("D[i,j] max= A[i,k] + B[k,j]", "i=31,j=67,k=29")); }
TEST(CustomProgram, PrimeConvolution) { expect_tunes(text("Y[n,y,x,o] += X[n,y+r,x+s,c] * W[r,s,c,o]", "n=1,y=13,x=17,o=31,r=3,s=5,c=7")); }
TEST(CustomProgram, FiveDimensionalContraction) { expect_tunes(text("T[a,b,c] += P[a,d,e,b] * Q[d,c,e]", "a=7,b=11,c=19,d=5,e=13")); }
TEST(CustomProgram, BytesIntoWords) { expect_tunes(text("C[m,n] += i32(A[m,k]) * i32(B[k,n])", "m=37,n=50,k=41", i8)); }
TEST(CustomProgram, DoublePrecision) { expect_tunes(text("C[m,n] += A[m,k] * B[k,n]", "m=50,n=37,k=23", f64)); }
TEST(CustomProgram, DotProductToAScalar) { expect_tunes(text("S[] += A[i] * B[i]", "i=10007")); }
TEST(CustomProgram, TransposedAddWithExp) { expect_tunes(text("Z[i,j] = exp(A[i,j]) + B[j,i]", "i=97,j=101")); }
TEST(CustomProgram, ColumnMinimum) { expect_tunes(text("M[j] min= A[i,j]", "i=211,j=37")); }
TEST(CustomProgram, RowProduct) { expect_tunes(text("P[i] *= A[i,k]", "i=50,k=6")); }
TEST(CustomProgram, StridedDilatedWindow) { expect_tunes(text("Y[i,j] += X[2*i+3*r, j] * W[r]", "i=29,j=53,r=4")); }

TEST(CustomProgram, ArgminWithTies) {
  const auto A = placeholder({23, 61}, i32, "A");
  const auto k = reduce_axis(61, "k");
  const auto argmin = reducer("argmin", {i32, i64},
      [](const Exprs& a, const Exprs& b) -> Exprs {
        // The smaller index wins a tie, so the order of combination does not matter.
        const Expr first = a[0] < b[0] || (a[0] == b[0] && a[1] < b[1]);
        return {select(first, a[0], b[0]), select(first, a[1], b[1])};
      },
      {highest(i32), highest(i64)});
  const auto R = compute_many({23}, [&](Var i) { return reduce(argmin, {floormod(A(i, k), 4), Expr(k)}, {k}); }, "R");
  expect_tunes(ComputeDag::from_outputs(R, "argmin"));
}

TEST(CustomProgram, SeveralStagesAndOutputs) {
  const auto A = placeholder({33, 47}, f32, "A");
  const auto k = reduce_axis(47, "k");
  const auto total = compute({33}, [&](Var i) { return sum(A(i, k), k); }, "total");
  const auto centred = compute({33, 47}, [&](Var i, Var j) { return A(i, j) * 47.0 - total(i); }, "centred");
  const auto l = reduce_axis(47, "l");
  const auto square = compute({33}, [&](Var i) { return sum(centred(i, l) * centred(i, l), l); }, "square");
  expect_tunes(ComputeDag::from_outputs({centred, square}, "moments"));
}

TEST(CustomProgram, ScanBetweenElementwiseStages) {
  const auto X = placeholder({37, 83}, f32, "X");
  const auto P = compute({37, 83}, [&](Var i, Var j) { return exp(X(i, j)); }, "P");
  const auto s = scan_state({37, 83}, f32, "S");
  const auto S = scan(s, {}, [&](Var t, Var j) { return P(t, j); }, [&](Var t, Var j) { return s(t - 1, j) * 0.5f + P(t, j); });
  expect_tunes(ComputeDag::from_outputs({compute({37, 83}, [&](Var i, Var j) { return sqrt(S(i, j)); }, "Y")}, "smoothing"));
}

TEST(CustomProgram, RunningMaximumOfAVector) {
  const auto X = placeholder({301}, f32, "X");
  const auto s = scan_state({301}, f32, "S");
  const auto S = scan(s, {}, [&](Var t) { return X(t); }, [&](Var t) { return max(s(t - 1), X(t)); });
  expect_tunes(ComputeDag::from_outputs({S}, "running_maximum"));
}

/// Two states, four products and their gates in a step.
TEST(CustomProgram, LongShortTermMemory) {
  constexpr std::int64_t T = 5, B = 3, N = 24;
  const auto X = placeholder({T, B, 4, N}, f32, "X");
  const auto W = with_values(constant({4, N, N}, f32, "W"), within(1.0 / N));
  const auto h = scan_state({T, B, N}, f32, "H"), c = scan_state({T, B, N}, f32, "H");
  const auto k = reduce_axis(N, "k");
  const auto past = compute({T, B, 4, N}, [&](Var t, Var b, Var g, Var i) { return sum(h(t - 1, b, k) * W(g, k, i), k); }, "past");
  const auto gate = [&](const Expr& t, const Expr& b, int g, const Expr& i) { return X(t, b, g, i) + past(t, b, g, i); };
  const auto cell = compute({T, B, N}, [&](Var t, Var b, Var i) {
    return sigmoid(gate(t, b, 0, i)) * c(t - 1, b, i) + sigmoid(gate(t, b, 1, i)) * tanh(gate(t, b, 2, i));
  }, "cell");
  const auto zero = [](Var, Var, Var) { return Exprs{Expr(0.0f), Expr(0.0f)}; };
  const auto out = scan_many({h, c}, {}, zero, [&](Var t, Var b, Var i) {
    return Exprs{sigmoid(gate(t, b, 3, i)) * tanh(cell(t, b, i)), cell(t, b, i)};
  });
  expect_tunes(ComputeDag::from_outputs({out[0]}, "lstm"));
}

TEST(CustomProgram, ExternBetweenStages) {
  const auto X = placeholder({40}, f32, "X"), bias = placeholder({8}, f32, "bias");
  const auto rows = with_values(placeholder({9}, i32, "rows"), offsets(40));
  const auto P = compute({40}, [&](Var i) { return X(i) * X(i); }, "P");
  const auto S = extern_stage({8}, {f32}, {rows, P}, [](const std::vector<Buffer>& in, const std::vector<Buffer>& out) {
    const Var i = Var::fresh("i"), p = Var::fresh("p");
    const auto row = [&](const Expr& at) { return cast(i64, in[0].load({at})); };
    const ir::Stmt add = ir::make_stmt<ir::Store>(out[0], Exprs{i}, out[0].load({i}) + in[1].load({p}));
    const ir::Stmt all = ir::make_stmt<ir::For>(p, row(i), row(i + 1) - row(i), ir::ForKind::kSerial, add);
    return ir::make_stmt<ir::For>(i, Expr(0), Expr(8), ir::ForKind::kSerial, ir::block({ir::make_stmt<ir::Store>(out[0], Exprs{i}, Expr(0.0f)), all}));
  }, "S", 40);
  expect_tunes(ComputeDag::from_outputs({compute({8}, [&](Var i) { return S[0](i) + bias(i); }, "Y")}, "segments"));
}

}  // namespace
}  // namespace tessera::search
