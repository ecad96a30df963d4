// Every step on a scan either keeps the order of its rows or is refused.
#include "schedule/scan.h"

#include "tests/unit/schedule/programs.h"

namespace tessera::schedule::test {
namespace {

using dsl::scan;
using dsl::scan_state;
using dsl::Tensor;
using dsl::Var;

/// P = X * 2;  S[t, j] = S[t - 1, j] + P[t, j];  Y = S + 1
State cumsum(std::int64_t n, std::int64_t m) {
  auto x = placeholder({n, m}, f32, "X");
  auto p = compute({n, m}, [&](Var i, Var j) { return x(i, j) * 2.0; }, "P");
  auto s = scan_state({n, m}, f32, "S");
  auto sum = scan(s, {}, [&](Var t, Var j) { return p(t, j); }, [&](Var t, Var j) { return s(t - 1, j) + p(t, j); });
  return start(dsl::ComputeDag::from_outputs({compute({n, m}, [&](Var i, Var j) { return sum(i, j) + 1.0; }, "Y")}));
}

/// M[t, b, i] = sum(H[t - 1, b, k] * W[k, i], k);  H = X + M
State network(std::int64_t steps, std::int64_t batch, std::int64_t n) {
  auto x = placeholder({steps, batch, n}, f32, "X"), w = placeholder({n, n}, f32, "W");
  auto h = scan_state({steps, batch, n}, f32, "H");
  auto k = dsl::reduce_axis(n, "k");
  auto m = compute({steps, batch, n}, [&](Var t, Var b, Var i) { return dsl::sum(h(t - 1, b, k) * w(k, i), k); }, "M");
  auto y = scan(h, {}, [&](Var t, Var b, Var i) { return x(t, b, i); }, [&](Var t, Var b, Var i) { return x(t, b, i) + m(t, b, i); });
  return start(dsl::ComputeDag::from_outputs({y}));
}

TEST(ScanSteps, IndependentDimensionsAreFound) {
  const State a = cumsum(6, 5), b = network(4, 3, 5);
  EXPECT_EQ(independent_dimensions(a, *a.find("S")), (std::vector<bool>{false, true}));
  EXPECT_EQ(independent_dimensions(b, *b.find("H")), (std::vector<bool>{false, true, false}));
}

TEST(ScanSteps, TheStepRunsInsideTheScan) {
  EXPECT_EQ(network(4, 3, 5).print_loops(),
            "for H.t in 0..4 step\n"
            "  for M.i in 0..1\n"
            "    for M.j in 0..3\n"
            "      for M.k in 0..5\n"
            "        for M.k_1 in 0..5 reduce\n"
            "          M = ...\n"
            "  for H.i in 0..3\n"
            "    for H.j in 0..5\n"
            "      H = ...\n");
}

TEST(ScanSteps, TheStepLoopStaysSerial) {
  const State s = cumsum(6, 8);
  expect_refused(s, Parallel{"S", "t"}, {"'t'", "'S'", "parallel", "each step reads the one before"});
  expect_refused(s, Vectorize{"S", "t"}, {"'t'", "'S'", "vector"});
  expect_refused(s, Fuse{"S", {"t", "i"}, "f"}, {"'f'", "fuses 't'"});
  const State split = after(s, {Split{"S", "t", {"t0", "t1"}, {4}}});
  expect_refused(split, Reorder{"S", {"t1", "t0"}}, {"'t1'", "'t0'", "order"});
  expect_refused(split, Parallel{"S", "t0"}, {"'t0'", "parallel"});
  EXPECT_TRUE(apply_step(split, Unroll{"S", "t1"}).ok());
}

TEST(ScanSteps, WhatNeverMeetsRunsOutside) {
  const State s = after(cumsum(6, 8), {Split{"S", "i", {"i0", "i1"}, {4}}, Reorder{"S", {"i0", "t", "i1"}}, Parallel{"S", "i0"}, Vectorize{"S", "i1"}});
  EXPECT_EQ(s.find("S")->leaves, (std::vector<std::string>{"i0", "t", "i1"}));
  const State n = network(4, 3, 5);
  EXPECT_TRUE(replay(n, {Reorder{"H", {"i", "t"}}, Parallel{"H", "i"}}).ok());
  expect_refused(n, Reorder{"H", {"j", "t"}}, {"'j'", "'t'", "complete before the next"});
  EXPECT_TRUE(apply_step(n, Parallel{"H", "j"}).ok());  // inside of a step
}

TEST(ScanSteps, ProducersAreInlinedTheScanIsNot) {
  const State s = cumsum(6, 8);
  EXPECT_TRUE(apply_step(s, ComputeInline{"P"}).ok());
  EXPECT_TRUE(apply_step(s, ComputeAt{"P", "S", "t"}).ok());
  expect_refused(s, ComputeInline{"S"}, {"'S'", "scan"});
  expect_refused(s, CacheWrite{"S", "C"}, {"'S'", "scan", "cache_read"});
  expect_refused(s, CacheRead{"S", {"S"}, "C"}, {"'S'", "rows"});
  EXPECT_TRUE(apply_step(s, CacheRead{"S", {"Y"}, "C"}).ok());
  expect_refused(s, StreamingStore{"S"}, {"'S'", "reads back"});
  expect_refused(s, Rfactor{"S", "t", "R"}, {"'t'", "data loop"});
  expect_refused(s, Split{"S", "i", {"a", "b"}, {3}, ir::Tail::kPad}, {"'S'", "pads"});
}

TEST(ScanSteps, AScanIsComputedWithAllItsRows) {
  const State s = after(cumsum(6, 8), {Split{"Y", "j", {"j0", "j1"}, {4}}, Reorder{"Y", {"j0", "i", "j1"}}, ComputeAt{"S", "Y", "j0"}});
  EXPECT_EQ(s.find("S")->region.bound, (std::vector<std::int64_t>{6, 4}));
  expect_refused(cumsum(6, 8), ComputeAt{"S", "Y", "i"}, {"'S'", "'i'", "computed again"});
}

TEST(ScanSteps, StagesOfAStepStayInIt) {
  const State s = network(4, 3, 8);
  expect_refused(s, ComputeRoot{"M"}, {"'M'", "'H'", "inside of loop 't'"});
  expect_refused(s, CacheRead{"H", {"M"}, "C"}, {"'M'", "'H'", "at every step"});
  const State cached = after(s, {CacheWrite{"M", "M.acc"}});
  EXPECT_EQ(cached.find("M.acc")->at, (Attach{"H", "t"}));
  const State parts = after(s, {Split{"M", "k_1", {"r0", "r1"}, {4}}, Rfactor{"M", "r1", "M.part"}});
  EXPECT_EQ(parts.find("M.part")->at, (Attach{"H", "t"}));
  EXPECT_TRUE(apply_step(s, ComputeAt{"M", "H", "i"}).ok());
}

// The box of a step would hold sequences of which another iteration computes the rows.
TEST(ScanSteps, BlocksOfADimensionAreWhole) {
  const State s = after(network(4, 6, 5), {Split{"H", "i", {"b0", "b1"}, {2}}});
  EXPECT_TRUE(apply_step(s, Reorder{"H", {"b0", "t", "b1"}}).ok());
  expect_refused(s, Reorder{"H", {"b1", "t", "b0"}}, {"'M'", "'b1'", "'i'", "slower loops stand outside"});
}

/// Y = extern(P);  P = X * 2
State around_extern(std::int64_t n) {
  auto x = placeholder({n}, f32, "X");
  auto p = compute({n}, [&](Var i) { return x(i) * 2.0; }, "P");
  auto y = dsl::extern_stage({n}, {f32}, {p}, [&](const std::vector<Buffer>& in, const std::vector<Buffer>& out) {
    const Var i = Var::fresh("i");
    return ir::make_stmt<ir::For>(i, Expr(0), Expr(n), ir::ForKind::kSerial, ir::make_stmt<ir::Store>(out[0], Exprs{i}, in[0].load({i})));
  }, "Y").front();
  return start(dsl::ComputeDag::from_outputs({compute({n}, [&](Var i) { return y(i) + 1.0; }, "Z")}));
}

TEST(ExternSteps, AnExternStaysAsItWasWritten) {
  const State s = around_extern(8);
  for (const Step& step : StepList{Split{"Y", "i", {"a", "b"}, {2}}, Vectorize{"Y", "i"}, Parallel{"Y", "i"}, ComputeInline{"Y"},
                                   ComputeAt{"Y", "Z", "i"}, CacheWrite{"Y", "C"}, ComputeAt{"P", "Y", "i"}}) {
    expect_refused(s, step, {"'Y'", "extern"});
  }
  expect_refused(s, ComputeInline{"P"}, {"'P'", "'Y'", "buffer"});
}

TEST(ExternSteps, StagesAroundItAreFree) {
  const State s = after(around_extern(8), {Split{"P", "i", {"a", "b"}, {4}}, Vectorize{"P", "b"}, CacheRead{"X", {"P"}, "Xc"},
                                           CacheRead{"P", {"Y"}, "Pc"}, CacheRead{"Y", {"Z"}, "Yc"}, Vectorize{"Z", "i"}});
  EXPECT_EQ(s.find("Y")->code->reads[0], s.find("Pc")->outputs[0]);
}

}  // namespace
}  // namespace tessera::schedule::test
