// Barriers: those that lowering inserts are enough, and of a plain kernel none can be left out.
#include <gtest/gtest.h>

#include <functional>

#include "ir/print.h"
#include "ir/rewrite.h"
#include "lower/passes/insert_barriers.h"
#include "lower/passes/pipeline_loops.h"
#include "tests/polyhedral/programs.h"

namespace tessera::polyhedral::test {
namespace {

ir::Program with_barriers(const Schedule& s) {
  lower::Options options;
  options.target = ir::TargetKind::kCuda;
  return lower::insert_barriers(lower::pipeline_loops(loops_of(s, options.target), options).or_throw(), options).or_throw();
}

Schedule pipelined_matmul(std::int64_t n, int slots) {
  Schedule s = gpu_matmul(n);
  s.pipeline("As", slots).pipeline("Bs", slots);
  return s;
}

/// Every statement through `f`, which gives nothing for those that stay.
ir::Program changed(const ir::Program& p, const std::function<ir::Stmt(const ir::Stmt&)>& f) {
  ir::Program out = p;
  const std::function<ir::Stmt(const ir::Stmt&)> self = [&](const ir::Stmt& s) -> ir::Stmt {
    if (const ir::Stmt x = f(s); x) return x;
    return ir::map_children(s, [](const ir::Expr& e) { return e; }, self);
  };
  for (ir::Function& fn : out.functions) fn.body = self(fn.body);
  return out;
}

/// Without its n-th barrier; nothing when there are not so many.
std::optional<ir::Program> without_barrier(const ir::Program& p, int n) {
  int left = n;
  ir::Program out = p;
  for (ir::Function& f : out.functions) {
    const std::function<ir::Stmt(const ir::Stmt&)> self = [&](const ir::Stmt& s) -> ir::Stmt {
      if (const auto* block = s.as<ir::Block>()) {
        ir::Stmts kept;
        for (const ir::Stmt& x : block->stmts) {
          if (x.as<ir::Barrier>() == nullptr || left-- != 0) kept.push_back(self(x));
        }
        return ir::block(kept);
      }
      return ir::map_children(s, [](const ir::Expr& e) { return e; }, self);
    };
    f.body = self(f.body);
  }
  return left < 0 ? std::optional(out) : std::nullopt;
}

TEST(Barriers, WhatLoweringInsertsIsEnoughAndNeeded) {
  for (const std::int64_t n : {64, 100}) {
    const Schedule s = gpu_matmul(n);
    const Equations program = equations_of(s.state()).or_throw();
    const ir::Program loops = with_barriers(s);
    const VerifyOptions options{.barriers = true};
    const Verdict v = verify(program, loops, options);
    EXPECT_TRUE(v.ok()) << v << ir::to_string(loops);
    int removed = 0;
    while (const auto wrong = without_barrier(loops, removed)) {
      const Verdict w = verify(program, *wrong, options);
      ASSERT_TRUE(w.illegal()) << "barrier " << removed << " is not needed\n" << ir::to_string(*wrong);
      EXPECT_EQ(w.violations[0].fault, Fault::kBarrier) << w;
      EXPECT_NE(w.violations[0].what.find("no barrier stands between"), std::string::npos) << w;
      ++removed;
    }
    EXPECT_EQ(removed, 2);
  }
}

TEST(Barriers, AroundALoopTheyAreNamed) {
  const Schedule s = gpu_matmul(64);
  const auto wrong = without_barrier(with_barriers(s), 0);
  ASSERT_TRUE(wrong.has_value());
  const Verdict v = verify(equations_of(s.state()).or_throw(), *wrong, {.barriers = true});
  // The tiles of the next round are written while this one is still read.
  ASSERT_TRUE(v.illegal());
  EXPECT_NE(to_string(v).find("what stage 'C' reads of shared '"), std::string::npos) << v;
}

TEST(Barriers, NotAllThreadsReachOneInsideOfThreads) {
  const Schedule s = gpu_matmul(64);
  bool done = false;
  const ir::Program loops = changed(loops_of(s, ir::TargetKind::kCuda), [&](const ir::Stmt& x) -> ir::Stmt {
    const auto* n = x.as<ir::For>();
    if (n == nullptr || !ir::is_thread_level(n->loop) || done) return {};
    done = true;
    return ir::make_stmt<ir::For>(n->var, n->min, n->extent, n->loop, ir::block({ir::make_stmt<ir::Barrier>(ir::BarrierScope::kBlock), n->body}), n->notes);
  });
  const Verdict v = verify(equations_of(s.state()).or_throw(), loops, {.barriers = true});
  ASSERT_TRUE(v.illegal());
  EXPECT_NE(to_string(v).find("not all of them reach it together"), std::string::npos) << v;
}

TEST(Barriers, PipelinesWaitForWhatTheyRead) {
  for (const int slots : {2, 3}) {
    const Schedule s = pipelined_matmul(64, slots);
    const Equations program = equations_of(s.state()).or_throw();
    const ir::Program loops = with_barriers(s);
    EXPECT_TRUE(verify(program, loops).ok()) << verify(program, loops) << ir::to_string(loops);
    // A wait that lets one commit more be, and the slot of another round.
    const ir::Program early = changed(loops, [](const ir::Stmt& x) -> ir::Stmt {
      const auto* n = x.as<ir::ChannelOp>();
      if (n == nullptr || n->action != ir::ChannelAction::kWait) return {};
      return ir::make_stmt<ir::ChannelOp>(n->channel, n->action, n->slot + 1);
    });
    const Verdict v = verify(program, early);
    ASSERT_TRUE(v.illegal()) << ir::to_string(early);
    EXPECT_NE(to_string(v).find("no wait and barrier stand between what stage 'As' writes of shared 'As'"), std::string::npos) << v;
    int barriers = 0;
    for (; const auto wrong = without_barrier(loops, barriers); ++barriers) EXPECT_TRUE(verify(program, *wrong, {.barriers = true}).illegal()) << barriers;
    EXPECT_EQ(barriers, 1);
  }
}

TEST(Barriers, SlotsAreFilledWhenTheyHaveBeenRead) {
  // Three slots' worth of distance in the storage of two: the round after next is filled over what is read.
  const Schedule s = pipelined_matmul(64, 3);
  const ir::Program loops = with_barriers(s);
  const auto fewer = [](const ir::Expr& e) -> ir::Expr {
    const ir::ExprFn self = [&](const ir::Expr& x) -> ir::Expr {
      const auto* n = x.as<ir::FloorMod>();
      std::int64_t c = 0;
      if (n != nullptr && ir::is_const_int(n->b, &c) && c == 3) return ir::floormod(self(n->a), ir::int_imm(2));
      return ir::map_children(x, self);
    };
    return self(e);
  };
  ir::Program wrong = loops;
  for (ir::Function& f : wrong.functions) f.body = ir::rewrite_exprs(f.body, fewer);
  EXPECT_TRUE(verify(equations_of(s.state()).or_throw(), wrong).illegal());
}

TEST(Barriers, AtTheCutThereAreNone) {
  const Schedule s = gpu_matmul(64);
  const Equations program = equations_of(s.state()).or_throw();
  const ir::Program loops = loops_of(s, ir::TargetKind::kCuda);
  EXPECT_TRUE(verify(program, loops).ok());
  EXPECT_TRUE(verify(program, loops, {.barriers = true}).illegal());
}

/// A tile that is filled before the loop over blocks in which it is read: every block fills its own and needs a barrier, which
/// lowering does not put there (and refuses such kernels later).
TEST(Barriers, BlocksInsideOfWhatIsShared) {
  auto x = placeholder({4, 64}, f32, "X");
  Schedule s(ComputeDag::from_outputs({compute({4, 64}, [&](Var i, Var j) { return x(i, 63 - j) * 2.0; }, "Y")}));
  s.split("Y", "j", {"j0", "j1"}, {32}).bind("Y", "i", ForKind::kBlockX).bind("Y", "j0", ForKind::kBlockY).bind("Y", "j1", ForKind::kThreadX);
  s.cache_read("X", {"Y"}, "Xs", ir::Scope::kShared).compute_at("Xs", "Y", "i").bind("Xs", s.state().find("Xs")->data_axes()[1], ForKind::kThreadX);
  const Verdict v = verify(equations_of(s.state()).or_throw(), with_barriers(s), {.barriers = true});
  ASSERT_TRUE(v.illegal()) << v;
  EXPECT_EQ(v.violations[0].fault, Fault::kBarrier) << v;
}

}  // namespace
}  // namespace tessera::polyhedral::test
