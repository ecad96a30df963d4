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

}  // namespace
}  // namespace tessera::search
