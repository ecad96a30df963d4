// Schedules for a GPU written by hand: the interpreter holds the loops and the emulator the printed text
// against the oracle, exactly; what the emulator must catch when synchronisation is left out or late.
#include <gtest/gtest.h>

#include "tests/correctness/cuda_kernels.h"

namespace tessera::test {
namespace {

// ---- a product through shared memory and registers ----------------------------------------------------

TEST(CudaSchedules, ProductsInTiles) {
  for (const Shape& mnk : {Shape{128, 128, 128}, {100, 72, 40}, {37, 51, 29}}) {
    for (const int slots : {1, 2, 3}) {
      for (const bool vectors : {false, true}) {
        SCOPED_TRACE(std::to_string(mnk[0]) + " slots " + std::to_string(slots) + (vectors ? " vectors" : ""));
        expect_right(gemm(mnk, {slots, vectors}));
      }
    }
  }
}

TEST(CudaSchedules, PipelinesOfOneOperandOrMoreSlotsThanSteps) {
  Schedule one = gemm({37, 51, 29}, {});
  one.pipeline("B.s", 2);
  expect_right(one);
  expect_right(gemm({16, 16, 8}, {4, false}));
  expect_right(gemm({16, 16, 3}, {8, false}));
}

/// A pipeline inside of a loop that goes round it: the tiles of the last round are still read when the
/// first of the next are filled.
TEST(CudaSchedules, PipelinesInsideOfLoops) {
  auto A = placeholder({5, 24, 16}, f32, "A"), B = placeholder({24, 16}, f32, "B");
  auto k = reduce_axis(24, "k");
  auto C = compute({5, 16}, [&](Var i, Var j) { return sum(A(i, k, j) * B(k, j), k); }, "C");
  for (const int slots : {1, 2, 3}) {
    Schedule s(ComputeDag::from_outputs({C}, "columns"));
    s.cache_write("C", "C.r").reorder("C", {"j", "i"}).split("C", "j", {"j0", "j1"}, {8}).reorder("C", {"j0", "i", "j1"});
    s.bind("C", "j0", ForKind::kBlockX).bind("C", "j1", ForKind::kThreadX);
    s.compute_at("C.r", "C", "i").split("C.r", "k", {"k0", "k1"}, {4}).reorder("C.r", {"k0", "j", "k1"});
    s.bind("C.r", "j", ForKind::kThreadX).set_scope("C.r", Scope::kRegister);
    s.cache_read("B", {"C.r"}, "B.s", Scope::kShared).compute_at("B.s", "C.r", "k0").fuse("B.s", {"d0", "d1"}, "t");
    s.spread("B.s", "t", {"step", "thread"}, "C.r").pipeline("B.s", slots);
    SCOPED_TRACE("slots " + std::to_string(slots));
    expect_right(s);
  }
}

// ---- reductions over threads --------------------------------------------------------------------------

TEST(CudaSchedules, RowsJoinedByThreads) {
  for (const RowPlan& plan : {RowPlan{32, 1}, {8, 4}, {2, 16}, {64, 2}, {64, 1}, {128, 8}, {96, 1}, {96, 2}}) {
    for (const auto& [m, n] : {std::pair<std::int64_t, std::int64_t>{16, 128}, {37, 51}, {3, 1}}) {
      SCOPED_TRACE(std::to_string(m) + " x " + std::to_string(n) + ", threads " + std::to_string(plan.threads) + ", rows " + std::to_string(plan.rows));
      expect_right(rows_of(m, n, plan));
    }
  }
}

/// A reduction of a tuple inside of the loop that threads share: its update is not theirs.
TEST(CudaSchedules, ReductionsInsideOfSharedLoops) {
  auto A = placeholder({11, 8, 3}, f32, "A");
  const auto both = reducer("both", {f32, f32}, [](const Exprs& x, const Exprs& y) -> Exprs { return {x[0] + y[0], ir::max(x[1], y[1])}; },
                            {ir::constant_of(f32, 0), dsl::lowest(f32)});
  auto q = reduce_axis(3, "q"), k = reduce_axis(8, "k");
  const auto T = compute_many({11, 8}, [&](Var i, Var j) { return reduce(both, {A(i, j, q), A(i, j, q)}, {q}); }, "T");
  auto S = compute({11}, [&](Var i) { return sum(T[0](i, k) + T[1](i, k), k); }, "S");
  Schedule s(ComputeDag::from_outputs({S}, "inside"));
  s.split("S", "i", {"i0", "i1"}, {4}).bind("S", "i0", ForKind::kBlockX).bind("S", "i1", ForKind::kThreadY).bind("S", "k", ForKind::kThreadX);
  s.compute_at("T", "S", "k");
  expect_right(s);
}

/// A condition on the place of a result stands inside of the loop that its threads share: past the end nothing is written.
TEST(CudaSchedules, ResultsPastTheEndAreNotWritten) {
  auto A = placeholder({2, 7}, f32, "A"), B = placeholder({7, 67}, f32, "B");
  auto k = reduce_axis(7, "k");
  auto C = compute({2, 67}, [&](Var i, Var j) { return sum(A(i, k) * B(k, j), k); }, "C");
  Schedule s(ComputeDag::from_outputs({C}, "product"));
  s.reorder("C", {"j", "i"}).split("C", "j", {"j0", "j1"}, {8}).bind("C", "j0", ForKind::kBlockX).bind("C", "j1", ForKind::kBlockY);
  s.bind("C", "k", ForKind::kThreadX).reorder("C", {"j1", "j0"});
  expect_right(s);
}

/// Warps and lanes instead of thread.x: each warp has a row.
TEST(CudaSchedules, RowsOfWarps) {
  expect_right(rows_of_warps());
}

/// A loop over thread.z that runs once, beside lanes: every lane runs it.
TEST(CudaSchedules, LoopsThatRunOnceBesideLanes) {
  auto A = placeholder({13, 3}, f32, "A");
  auto k = reduce_axis(3, "k");
  auto S = compute({13}, [&](Var i) { return sum(A(i, k), k); }, "S");
  auto Y = compute({13, 3}, [&](Var i, Var j) { return A(i, j) + S(i); }, "Y");
  Schedule s(ComputeDag::from_outputs({Y}, "once"));
  s.split("Y", "i", {"i0", "i1"}, {9}).split("S", "i", {"i0", "i1"}, {13}).compute_at("S", "Y", "j");
  s.bind("S", "i0", ForKind::kThreadZ).bind("Y", "i0", ForKind::kLane);
  expect_right(s);
}

TEST(CudaSchedules, TuplesJoinedByThreads) {
  const auto larger = reducer("argmax", {f32, ir::i32}, [](const Exprs& x, const Exprs& y) -> Exprs {
    const Expr first = x[0] > y[0] || (x[0] == y[0] && x[1] <= y[1]);
    return {select(first, x[0], y[0]), select(first, x[1], y[1])};
  }, {dsl::lowest(f32), ir::constant_of(ir::i32, INT32_MAX)});
  for (const RowPlan& plan : {RowPlan{32, 1}, {8, 4}, {64, 2}}) {
    auto A = placeholder({19, 75}, f32, "A");
    auto k = reduce_axis(75, "k");
    const auto best = compute_many({19}, [&](Var i) { return reduce(larger, {A(i, k), ir::cast(ir::i32, k)}, {k}); }, "best");
    const auto Z = compute_many({19}, [&](Var i) { return Exprs{best[0](i), best[1](i)}; }, "Z");
    Schedule s(ComputeDag::from_outputs({Z[0], Z[1]}, "argmax"));
    s.split("Z", "i", {"b", "y"}, {plan.rows}).bind("Z", "b", ForKind::kBlockX).bind("Z", "y", ForKind::kThreadY);
    s.compute_at("best", "Z", "y").pad_box("best").split("best", "k", {"k0", "x"}, {plan.threads}).reorder("best", {"i", "x", "k0"});
    s.bind("best", "x", ForKind::kThreadX).set_scope("best", Scope::kRegister);
    SCOPED_TRACE("threads " + std::to_string(plan.threads));
    expect_right(s);
  }
}

/// The old and the new values of a tuple are vectors, each used more than once: whole ones, and the masked end.
TEST(CudaSchedules, TuplesInVectors) {
  for (const ir::Type t : {ir::i32, ir::i64}) {
    const auto larger = reducer("argmax", {f32, t}, [](const Exprs& x, const Exprs& y) -> Exprs {
      const Expr first = x[0] > y[0] || (x[0] == y[0] && x[1] <= y[1]);
      return {select(first, x[0], y[0]), select(first, x[1], y[1])};
    }, {dsl::lowest(f32), ir::constant_of(t, INT32_MAX)});
    for (const std::int64_t n : {16, 15}) {
      for (const bool registers : {false, true}) {
        SCOPED_TRACE(ir::to_string(t) + " " + std::to_string(n) + (registers ? " registers" : ""));
        auto A = placeholder({5, n}, f32, "A");
        auto k = reduce_axis(5, "k");
        const auto best = compute_many({n}, [&](Var i) { return reduce(larger, {A(k, i), ir::cast(t, k)}, {k}); }, "best");
        const auto Z = compute_many({n}, [&](Var i) { return Exprs{best[0](i), best[1](i)}; }, "Z");
        Schedule s(ComputeDag::from_outputs({Z[0], Z[1]}, "argmax"));
        s.split("Z", "i", {"x", "v"}, {4}).bind("Z", "x", ForKind::kThreadX).vectorize("Z", "v");
        if (registers) s.compute_at("best", "Z", "x").set_scope("best", Scope::kRegister);
        if (!registers) s.split("best", "i", {"x", "v"}, {4}).bind("best", "x", ForKind::kThreadX);
        s.reorder("best", {"k", registers ? "i" : "v"}).vectorize("best", registers ? "i" : "v");
        expect_right(s);
      }
    }
  }
}

/// Three lanes of four read a register tile of three.
TEST(CudaSchedules, TuplesInVectorsOfRegisterTiles) {
  const auto both = reducer("both", {f32, f32}, [](const Exprs& x, const Exprs& y) -> Exprs { return {x[0] + y[0], ir::max(x[1], y[1])}; },
                            {ir::constant_of(f32, 0), dsl::lowest(f32)});
  auto A = placeholder({11, 5, 3}, f32, "A");
  auto k = reduce_axis(11, "k");
  const auto T = compute_many({5, 3}, [&](Var i, Var j) { return reduce(both, {A(k, i, j), A(k, i, j)}, {k}); }, "T");
  Schedule s(ComputeDag::from_outputs({T[0], T[1]}, "tuples"));
  s.bind("T", "i", ForKind::kThreadX).reorder("T", {"k", "j"}).vectorize("T", "j");
  s.cache_read("A", {"T"}, "A.r", Scope::kShared).compute_at("A.r", "T", "k").set_scope("A.r", Scope::kRegister);
  expect_right(s);
}

// ---- shared tiles ---------------------------------------------------------------------------------------

TEST(CudaSchedules, TransposesThroughSharedMemory) {
  for (const auto& [m, n] : {std::pair<std::int64_t, std::int64_t>{64, 48}, {37, 51}, {5, 1}}) {
    SCOPED_TRACE(std::to_string(m) + " x " + std::to_string(n));
    expect_right(transpose(m, n));
  }
}

/// No loop is bound to threads: the tile is filled and read by one.
TEST(CudaSchedules, SharedTilesOfOneThread) {
  auto A = placeholder({17}, f32, "A");
  auto k = reduce_axis(3, "k");
  auto T = compute({17, 3}, [&](Var i, Var j) { return A(i) + ir::cast(f32, j); }, "T");
  auto S = compute({17}, [&](Var i) { return sum(T(i, k), k); }, "S");
  for (const bool blocks : {false, true}) {
    Schedule s(ComputeDag::from_outputs({S}, "one"));
    if (blocks) s.bind("S", "i", ForKind::kBlockX);
    s.compute_at("T", "S", "i").set_scope("T", Scope::kShared);
    expect_right(s);
  }
}

/// The count of a loop over the box of two reads that run against each other, in a kernel of 64-bit values.
TEST(CudaSchedules, BoxesOfReadsThatCross) {
  auto A = placeholder({33}, ir::i64, "A"), B = placeholder({5}, ir::i64, "B");
  auto k = reduce_axis(33, "k"), q = reduce_axis(3, "q");
  auto S = compute({5}, [&](Var i) { return sum(ir::min(A(k), A(32 - k)) + B(i), {k, q}); }, "S");
  Schedule s(ComputeDag::from_outputs({S}, "cross"));
  s.cache_read("A", {"S"}, "A.s", Scope::kShared).compute_at("A.s", "S", "q").split("A.s", "d0", {"d1", "d2"}, {4});
  expect_right(s);
}

/// A pipeline below a guard that not every iteration passes.
TEST(CudaSchedules, PipelinesUnderGuards) {
  auto A = placeholder({13, 33}, f32, "A");
  auto T = compute({33, 13, 2}, [&](Var i, Var j, Var k) { return A(j, i) + ir::cast(f32, k); }, "T");
  for (const bool threads : {false, true}) {
    Schedule s(ComputeDag::from_outputs({T}, "guarded"));
    s.cache_read("A", {"T"}, "A.s", Scope::kShared);
    if (threads) s.reorder("T", {"i", "k", "j"}).bind("T", "j", ForKind::kThreadX);
    s.compute_at("A.s", "T", "k").pipeline("A.s", 2).split("T", "i", {"i0", "i1"}, {16}, ir::Tail::kGuard);
    SCOPED_TRACE(threads);
    expect_right(s);
  }
}

/// One of the lanes writes an update of memory, and reads what it updates; the others have not written it.
TEST(CudaSchedules, UpdatesOfMemoryByWarps) {
  auto A = placeholder({7, 9}, f32, "A");
  auto k = reduce_axis(9, "k");
  auto S = compute({7}, [&](Var i) { return sum(A(i, k), k); }, "S");
  Schedule s(ComputeDag::from_outputs({S}, "warps"));
  s.bind("S", "i", ForKind::kWarp);
  expect_right(s);
}

/// The same where no loop over threads is left around it: one that runs once, and a tuple outside of all of them.
TEST(CudaSchedules, UpdatesOfSharedMemoryByOneThread) {
  auto A = placeholder({5, 24}, f32, "A");
  auto k = reduce_axis(1, "k");
  auto S = compute({5}, [&](Var i) { return sum(A(i, k), k); }, "S");
  auto Y = compute({5, 24}, [&](Var i, Var j) { return A(i, j) + S(i); }, "Y");
  Schedule once(ComputeDag::from_outputs({Y}, "once"));
  once.bind("Y", "i", ForKind::kBlockX).bind("Y", "j", ForKind::kThreadX).compute_at("S", "Y", "i");
  once.bind("S", "k", ForKind::kWarp).set_scope("S", Scope::kShared);
  expect_right(once);
  const auto both = reducer("both", {f32, f32}, [](const Exprs& x, const Exprs& y) -> Exprs { return {x[0] + y[0], ir::max(x[1], y[1])}; },
                            {ir::constant_of(f32, 0), dsl::lowest(f32)});
  auto q = reduce_axis(24, "q");
  const auto T = compute_many({5}, [&](Var i) { return reduce(both, {A(i, q), A(i, q)}, {q}); }, "T");
  auto Z = compute({5, 24}, [&](Var i, Var j) { return A(i, j) + T[0](i) * T[1](i); }, "Z");
  Schedule tuple(ComputeDag::from_outputs({Z}, "tuple"));
  tuple.bind("Z", "i", ForKind::kBlockX).bind("Z", "j", ForKind::kThreadX).compute_at("T", "Z", "i").set_scope("T", Scope::kShared);
  expect_right(tuple);
}

TEST(CudaSchedules, WhatCannotBeAKernelIsRefused) {
  auto A = placeholder({16, 16}, f32, "A");
  auto k = reduce_axis(16, "k");
  auto S = compute({16}, [&](Var i) { return sum(A(i, k), k); }, "S");
  const auto refusal = [](const Schedule& s) {
    const auto program = lower::lower(s.state(), cuda_options());
    return program.ok() ? "" : program.reason();
  };
  Schedule root(ComputeDag::from_outputs({S}, "sums"));
  root.cache_read("A", {"S"}, "A.s", Scope::kShared);
  EXPECT_NE(refusal(root).find("compute it at a loop of its reader"), std::string::npos) << refusal(root);
  Schedule inside(ComputeDag::from_outputs({S}, "sums"));
  inside.bind("S", "i", ForKind::kThreadX).cache_read("A", {"S"}, "A.s", Scope::kShared).compute_at("A.s", "S", "k");
  EXPECT_NE(refusal(inside).find("every thread would write it"), std::string::npos) << refusal(inside);
  Schedule twice(ComputeDag::from_outputs({S}, "sums"));
  twice.cache_read("A", {"S"}, "A.s", Scope::kShared).compute_at("A.s", "S", "k").cache_read("A", {"A.s"}, "A.t", Scope::kShared);
  twice.compute_at("A.t", "A.s", "d0").pipeline("A.s", 2);
  EXPECT_NE(refusal(twice).find("go through the shared tile"), std::string::npos) << refusal(twice);
  auto B = placeholder({8, 32}, f32, "B"), C = placeholder({8}, f32, "C");
  auto T = compute({8, 32}, [&](Var i, Var j) { return B(i, j) * C(i); }, "T");
  Schedule between(ComputeDag::from_outputs({T}, "between"));
  between.bind("T", "i", ForKind::kBlockX).bind("T", "j", ForKind::kBlockY);
  between.cache_read("C", {"T"}, "C.s", Scope::kShared).compute_at("C.s", "T", "i");
  EXPECT_NE(refusal(between).find("inside of all grid loops"), std::string::npos) << refusal(between);
  Schedule others(ComputeDag::from_outputs({T}, "others"));
  others.cache_write("T", "T.w").compute_at("T.w", "T", "i").bind("T.w", "j", ForKind::kThreadX);
  EXPECT_NE(refusal(others).find("that other threads have"), std::string::npos) << refusal(others);
  const auto larger = reducer("argmax", {f32, ir::i64}, [](const Exprs& x, const Exprs& y) -> Exprs {
    const Expr first = x[0] > y[0] || (x[0] == y[0] && x[1] <= y[1]);
    return {select(first, x[0], y[0]), select(first, x[1], y[1])};
  }, {dsl::lowest(f32), ir::constant_of(ir::i64, std::int64_t{1} << 40)});
  auto q = reduce_axis(32, "q");
  const auto best = compute_many({8}, [&](Var i) { return reduce(larger, {B(i, q), q}, {q}); }, "best");
  Schedule bare(ComputeDag::from_outputs({best[0], best[1]}, "argmax"));
  bare.bind("best", "q", ForKind::kLane);
  EXPECT_NE(refusal(bare).find("cast it"), std::string::npos) << refusal(bare);
}

// ---- what must be caught --------------------------------------------------------------------------------

/// The findings of the emulator begin with one of these words after the place.
void expect_caught(const Schedule& s, const ir::Program& finished, const std::vector<std::string>& findings) {
  const std::string why = caught(s, finished);
  EXPECT_TRUE(std::any_of(findings.begin(), findings.end(), [&](const std::string& f) { return why.find(": " + f + ": ") != std::string::npos; }))
      << "'" << why << "'";
}

TEST(CudaSchedules, LoweringWithoutBarriersIsCaught) {
  for (const Schedule& s : {gemm({37, 51, 29}, {}), transpose(37, 51)}) {
    const lower::Options o = cuda_options();
    ir::Program p = lower::build(s.state(), o).or_throw();
    for (const lower::Pass& pass : lower::finish_passes(o.target)) {
      if (std::string(pass.name) != "insert_barriers") p = pass.run(p, o).or_throw();
    }
    expect_caught(s, p, {"shared_race", "uninitialised"});
  }
}

/// The first barrier of a round keeps the tiles of the one before until all have read them, the last shows
/// the new ones.
TEST(CudaSchedules, BarriersOfAProductAreNeeded) {
  const Schedule s = gemm({37, 51, 29}, {});
  Damage none;
  EXPECT_EQ(caught(s, damaged(s, "insert_barriers", none)), "");
  ASSERT_GE(none.met, 2);
  Damage first, last;
  first.barriers = {0};
  last.barriers = {none.met - 1};
  expect_caught(s, damaged(s, "insert_barriers", first), {"shared_race"});
  expect_caught(s, damaged(s, "insert_barriers", last), {"shared_race", "uninitialised"});
}

TEST(CudaSchedules, WaitsForTheWrongTileAreCaught) {
  for (const int slots : {2, 3}) {
    const Schedule s = gemm({37, 51, 29}, {slots, false});
    SCOPED_TRACE("slots " + std::to_string(slots));
    Damage none, late, unseen;
    late.late = 1;
    unseen.barriers = {0};
    EXPECT_EQ(caught(s, damaged(s, "pipeline_loops", none)), "");
    expect_caught(s, damaged(s, "pipeline_loops", late), {"copy_race", "uninitialised"});
    expect_caught(s, damaged(s, "pipeline_loops", unseen), {"shared_race", "copy_race", "uninitialised"});
  }
}

}  // namespace
}  // namespace tessera::test
