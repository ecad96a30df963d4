// Kernels with schedules written by hand, how tests judge them, and how they are damaged.
#pragma once

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

using namespace tessera::dsl;
using ir::ForKind;
using ir::Scope;
using schedule::Schedule;
using Shape = std::array<std::int64_t, 3>;

inline constexpr driver::EmulationChoice kOrders[] = {{false, 0}, {true, 1}, {true, 2}};

inline lower::Options cuda_options() {
  lower::Options o;
  o.target = ir::TargetKind::kCuda;
  o.name = "kernel";
  return o;
}

inline std::vector<codegen::CudaKernel> kernels_of(const Schedule& s) {
  return codegen::print_cuda(lower::lower(s.state(), cuda_options()).or_throw()).or_throw();
}

inline std::string text_of(const ir::Program& finished) {
  std::string out;
  for (const codegen::CudaKernel& k : codegen::print_cuda(finished).or_throw()) out += k.text;
  return out;
}

inline std::string text_of(const Schedule& s) {
  return text_of(lower::lower(s.state(), cuda_options()).or_throw());
}

/// Runs it in the emulator, completing copies at once and late; the text, empty when the tile program is wrong.
inline std::string expect_right(const Schedule& s) {
  const auto program = driver::CheckedProgram::make(s.state().dag(), options().seed).or_throw();
  ir::Program finished;
  const driver::PairOutcome pair = driver::check_pair(program, s.steps(), cuda_options(), &finished);
  EXPECT_EQ(pair.why, "");
  if (!pair.why.empty()) return "";
  for (const driver::EmulationChoice& order : kOrders) {
    EXPECT_EQ(driver::check_emulated(program, finished, order).why, "") << (order.late ? "late" : "eager") << ", seed " << order.seed;
  }
  return text_of(finished);
}

struct GemmPlan {
  int slots = 1;
  bool vectors = false;
};

/// 32 x 16 elements a block of 8 x 8 threads, 4 x 2 a thread, in steps of 8 of the sum.
inline Schedule gemm(const Shape& mnk, const GemmPlan& plan) {
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

struct RowPlan {
  std::int64_t threads, rows;  // of a row; of a block
};

/// Y[i, j] = A[i, j] - max A[i, ..] + sum (A[i, ..] - max): a block has `rows` rows, `threads` share one.
inline Schedule rows_of(std::int64_t m, std::int64_t n, const RowPlan& plan) {
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

/// Sums of 21 rows of 75: four warps a block, each has a row, its lanes share it.
inline Schedule rows_of_warps() {
  auto A = placeholder({21, 75}, f32, "A");
  auto k = reduce_axis(75, "k");
  auto S = compute({21}, [&](Var i) { return sum(A(i, k), k); }, "S");
  Schedule s(ComputeDag::from_outputs({S}, "row_sums"));
  s.cache_write("S", "S.r").split("S", "i", {"b", "w"}, {4}).bind("S", "b", ForKind::kBlockX).bind("S", "w", ForKind::kWarp);
  s.compute_at("S.r", "S", "w").pad_box("S.r").split("S.r", "k", {"k0", "lane"}, {32}).reorder("S.r", {"i", "lane", "k0"});
  s.bind("S.r", "lane", ForKind::kLane).set_scope("S.r", Scope::kRegister);
  return s;
}

inline Schedule transpose(std::int64_t m, std::int64_t n) {
  auto A = placeholder({n, m}, f32, "A");
  auto B = compute({m, n}, [&](Var i, Var j) { return A(j, i); }, "B");
  Schedule s(ComputeDag::from_outputs({B}, "transpose"));
  s.split("B", "i", {"i0", "i1", "i2"}, {4, 4}).split("B", "j", {"j0", "j1"}, {16}).reorder("B", {"i0", "j0", "i1", "j1", "i2"});
  s.bind("B", "i0", ForKind::kBlockY).bind("B", "j0", ForKind::kBlockX).bind("B", "i1", ForKind::kThreadY).bind("B", "j1", ForKind::kThreadX);
  s.cache_read("A", {"B"}, "A.s", Scope::kShared).compute_at("A.s", "B", "j0").pad_box("A.s").storage_align("A.s", "d0", 32, 1);
  s.fuse("A.s", {"d0", "d1"}, "t").spread("A.s", "t", {"step", "thread"}, "B");
  return s;
}

// ---- damage ------------------------------------------------------------------------------------------

inline std::string caught(const Schedule& s, const ir::Program& finished) {
  const auto program = driver::CheckedProgram::make(s.state().dag(), options().seed).or_throw();
  for (const driver::EmulationChoice& order : kOrders) {
    const std::string why = driver::check_emulated(program, finished, order).why;
    if (!why.empty()) return why;
  }
  return "";
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
inline ir::Program damaged(const Schedule& s, const std::string& after, Damage& damage) {
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

}  // namespace tessera::test
