// Schedules for a GPU written by hand: the interpreter holds the loops and the emulator the printed text
// against the oracle, exactly; what the emulator must catch when synchronisation is left out or late.
#include <gtest/gtest.h>

#include <algorithm>
#include <set>

#include "codegen/cuda/print.h"
#include "driver/fuzz/check_pair.h"
#include "driver/fuzz/emulated_check.h"
#include "dsl/dsl.h"
#include "ir/rewrite.h"
#include "lower/pipeline.h"
#include "schedule/schedule.h"
#include "tests/support/options.h"

namespace tessera::test {
namespace {

using namespace tessera::dsl;
using ir::ForKind;
using ir::Scope;
using schedule::Schedule;
using Shape = std::array<std::int64_t, 3>;

constexpr driver::EmulationChoice kOrders[] = {{false, 0}, {true, 1}, {true, 2}};

lower::Options cuda_options() {
  lower::Options o;
  o.target = ir::TargetKind::kCuda;
  o.name = "kernel";
  return o;
}

void expect_right(const Schedule& s) {
  const auto program = driver::CheckedProgram::make(s.state().dag(), options().seed).or_throw();
  ir::Program finished;
  const driver::PairOutcome pair = driver::check_pair(program, s.steps(), cuda_options(), &finished);
  ASSERT_EQ(pair.why, "");
  for (const driver::EmulationChoice& order : kOrders) {
    SCOPED_TRACE(std::string(order.late ? "late" : "eager") + ", seed " + std::to_string(order.seed));
    EXPECT_EQ(driver::check_emulated(program, finished, order).why, "");
  }
}

// ---- a product through shared memory and registers ----------------------------------------------------

struct GemmPlan {
  int slots = 1;
  bool vectors = false;
};

/// 32 x 16 elements a block of 8 x 8 threads, 4 x 2 a thread, in steps of 8 of the sum.
Schedule gemm(const Shape& mnk, const GemmPlan& plan) {
  const auto [m, n, k] = mnk;
  auto A = placeholder({m, k}, f32, "A"), B = placeholder({k, n}, f32, "B");
  auto kk = reduce_axis(k, "k");
  auto C = compute({m, n}, [&](Var i, Var j) { return sum(A(i, kk) * B(kk, j), kk); }, "C");
  Schedule s(ComputeDag::from_outputs({C}, "matmul"));
  s.cache_write("C", "C.r");
  s.split("C", "i", {"i0", "i1", "i2"}, {8, 4}).split("C", "j", {"j0", "j1", "j2"}, {8, 2});
  s.reorder("C", {"i0", "j0", "i1", "j1", "i2", "j2"});
  s.bind("C", "i0", ForKind::kBlockY).bind("C", "j0", ForKind::kBlockX).bind("C", "i1", ForKind::kThreadY).bind("C", "j1", ForKind::kThreadX);
  if (plan.vectors) s.vectorize("C", "j2");
  s.compute_at("C.r", "C", "j0").pad_box("C.r").split("C.r", "i", {"i1", "i2"}, {4}).split("C.r", "j", {"j1", "j2"}, {2});
  s.split("C.r", "k", {"k0", "k1"}, {8}).reorder("C.r", {"k0", "i1", "j1", "k1", "i2", "j2"});
  s.bind("C.r", "i1", ForKind::kThreadY).bind("C.r", "j1", ForKind::kThreadX).set_scope("C.r", Scope::kRegister);
  for (const char* operand : {"A", "B"}) {
    const std::string tile = std::string(operand) + ".s";
    s.cache_read(operand, {"C.r"}, tile, Scope::kShared).compute_at(tile, "C.r", "k0").pad_box(tile).fuse(tile, {"d0", "d1"}, "t");
    if (plan.vectors) {
      s.split(tile, "t", {"v", "lanes"}, {2}).vectorize(tile, "lanes");
    }
    s.spread(tile, plan.vectors ? "v" : "t", {"step", "thread"}, "C.r");
    if (plan.slots > 1) s.pipeline(tile, plan.slots);
  }
  return s;
}

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

struct RowPlan {
  std::int64_t threads, rows;  // of a row; of a block
};

/// Y[i, j] = A[i, j] - max A[i, ..] + sum (A[i, ..] - max): a block has `rows` rows, `threads` share one.
Schedule rows_of(std::int64_t m, std::int64_t n, const RowPlan& plan) {
  auto A = placeholder({m, n}, f32, "A");
  auto k = reduce_axis(n, "k"), q = reduce_axis(n, "q");
  auto M = compute({m}, [&](Var i) { return max(A(i, k), k); }, "M");
  auto E = compute({m, n}, [&](Var i, Var j) { return A(i, j) - M(i); }, "E");
  auto S = compute({m}, [&](Var i) { return sum(E(i, q), q); }, "S");
  auto Y = compute({m, n}, [&](Var i, Var j) { return E(i, j) + S(i); }, "Y");
  Schedule s(ComputeDag::from_outputs({Y}, "rows"));
  s.compute_inline("E").split("Y", "i", {"b", "y"}, {plan.rows}).split("Y", "j", {"j0", "x"}, {plan.threads});
  s.bind("Y", "b", ForKind::kBlockX).bind("Y", "y", ForKind::kThreadY).reorder("Y", {"x", "j0"}).bind("Y", "x", ForKind::kThreadX);
  for (const auto& [stage, axis] : {std::pair{"S", "q"}, {"M", "k"}}) {
    s.compute_at(stage, "Y", "b").pad_box(stage).split(stage, axis, {"k0", "x"}, {plan.threads}).reorder(stage, {"i", "x", "k0"});
    s.bind(stage, "i", ForKind::kThreadY).bind(stage, "x", ForKind::kThreadX).set_scope(stage, Scope::kRegister);
  }
  return s;
}

TEST(CudaSchedules, RowsJoinedByThreads) {
  for (const RowPlan& plan : {RowPlan{32, 1}, {8, 4}, {2, 16}, {64, 2}, {64, 1}, {128, 8}, {96, 1}, {96, 2}}) {
    for (const auto& [m, n] : {std::pair<std::int64_t, std::int64_t>{16, 128}, {37, 51}, {3, 1}}) {
      SCOPED_TRACE(std::to_string(m) + " x " + std::to_string(n) + ", threads " + std::to_string(plan.threads) + ", rows " + std::to_string(plan.rows));
      expect_right(rows_of(m, n, plan));
    }
  }
}

/// Warps and lanes instead of thread.x: each warp has a row.
TEST(CudaSchedules, RowsOfWarps) {
  auto A = placeholder({21, 75}, f32, "A");
  auto k = reduce_axis(75, "k");
  auto S = compute({21}, [&](Var i) { return sum(A(i, k), k); }, "S");
  Schedule s(ComputeDag::from_outputs({S}, "row_sums"));
  s.cache_write("S", "S.r").split("S", "i", {"b", "w"}, {4}).bind("S", "b", ForKind::kBlockX).bind("S", "w", ForKind::kWarp);
  s.compute_at("S.r", "S", "w").pad_box("S.r").split("S.r", "k", {"k0", "lane"}, {32}).reorder("S.r", {"i", "lane", "k0"});
  s.bind("S.r", "lane", ForKind::kLane).set_scope("S.r", Scope::kRegister);
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

// ---- shared tiles ---------------------------------------------------------------------------------------

Schedule transpose(std::int64_t m, std::int64_t n) {
  auto A = placeholder({n, m}, f32, "A");
  auto B = compute({m, n}, [&](Var i, Var j) { return A(j, i); }, "B");
  Schedule s(ComputeDag::from_outputs({B}, "transpose"));
  s.split("B", "i", {"i0", "i1", "i2"}, {4, 4}).split("B", "j", {"j0", "j1"}, {16}).reorder("B", {"i0", "j0", "i1", "j1", "i2"});
  s.bind("B", "i0", ForKind::kBlockY).bind("B", "j0", ForKind::kBlockX).bind("B", "i1", ForKind::kThreadY).bind("B", "j1", ForKind::kThreadX);
  s.cache_read("A", {"B"}, "A.s", Scope::kShared).compute_at("A.s", "B", "j0").pad_box("A.s").storage_align("A.s", "d0", 32, 1);
  s.fuse("A.s", {"d0", "d1"}, "t").spread("A.s", "t", {"step", "thread"}, "B");
  return s;
}

TEST(CudaSchedules, TransposesThroughSharedMemory) {
  for (const auto& [m, n] : {std::pair<std::int64_t, std::int64_t>{64, 48}, {37, 51}, {5, 1}}) {
    SCOPED_TRACE(std::to_string(m) + " x " + std::to_string(n));
    expect_right(transpose(m, n));
  }
}

// ---- what must be caught --------------------------------------------------------------------------------

std::string caught(const Schedule& s, const ir::Program& finished) {
  const auto program = driver::CheckedProgram::make(s.state().dag(), options().seed).or_throw();
  for (const driver::EmulationChoice& order : kOrders) {
    const std::string why = driver::check_emulated(program, finished, order).why;
    if (!why.empty()) return why;
  }
  return "";
}

/// The findings of the emulator begin with one of these words after the place.
void expect_caught(const Schedule& s, const ir::Program& finished, const std::vector<std::string>& findings) {
  const std::string why = caught(s, finished);
  EXPECT_TRUE(std::any_of(findings.begin(), findings.end(), [&](const std::string& f) { return why.find(": " + f + ": ") != std::string::npos; }))
      << "'" << why << "'";
}

/// Barriers left out and waits that come too late.
struct Damage {
  std::set<int> barriers;  // numbers in the order of the text
  std::int64_t late = 0;   // tiles that each wait leaves unfinished beside those it may
  int met = 0;             // barriers, afterwards

  ir::Stmt apply(const ir::Stmt& s) {
    std::int64_t m = 0;
    if (const auto* n = s.as<ir::ChannelOp>(); n != nullptr && n->action == ir::ChannelAction::kWait && ir::is_const_int(n->slot, &m)) {
      return ir::make_stmt<ir::ChannelOp>(n->channel, n->action, ir::int_imm(m + late));
    }
    if (s.as<ir::Barrier>() != nullptr && barriers.count(met++) != 0) return ir::block({});
    return ir::map_children(
        s, [](const ir::Expr& e) { return e; }, [&](const ir::Stmt& x) { return x ? apply(x) : x; });
  }
};

/// Lowered, with the damage done after the pass named.
ir::Program damaged(const Schedule& s, const std::string& after, Damage& damage) {
  const lower::Options o = cuda_options();
  ir::Program p = lower::build(s.state(), o).or_throw();
  bool met = false;
  for (const lower::Pass& pass : lower::finish_passes(o.target)) {
    p = pass.run(p, o).or_throw();
    if (pass.name != after) continue;
    met = true;
    p = lower::map_functions(p, [&](const ir::Stmt& x) -> Result<ir::Stmt> { return damage.apply(x); }).or_throw();
  }
  EXPECT_TRUE(met) << "no pass is named " << after;
  return p;
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
