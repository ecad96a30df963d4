// Each pass on small cases: what it leaves, as text.
#include <gtest/gtest.h>

#include "ir/check.h"
#include "ir/print.h"
#include "lower/pipeline.h"
#include "tests/unit/schedule/programs.h"

namespace tessera::lower {
namespace {

using namespace tessera::schedule;        // NOLINT: steps
using namespace tessera::schedule::test;  // NOLINT: programs

/// The program after all passes up to `last` ("build": none), checked after each.
ir::Program lowered_to(const State& s, const std::string& last, const Options& options = {}) {
  ir::Program p = build(s, options).or_throw();
  EXPECT_TRUE(ir::check_well_formed(p).ok());
  if (last == "build") return p;
  for (const Pass& pass : finish_passes(ir::TargetKind::kCpu)) {
    p = pass.run(p, options).or_throw();
    const Status ok = ir::check_well_formed(p, {.flat = pass.flat});
    EXPECT_TRUE(ok.ok()) << pass.name << ": " << ok.reason();
    if (pass.name == last) return p;
  }
  ADD_FAILURE() << "no pass " << last;
  return p;
}

std::string text(const State& s, const StepList& steps, const std::string& last) {
  return ir::to_string(lowered_to(after(s, steps), last));
}

int count(const std::string& text, const std::string& word) {
  int n = 0;
  for (std::size_t at = text.find(word); at != std::string::npos; at = text.find(word, at + 1)) ++n;
  return n;
}

#define EXPECT_HAS(text, word) EXPECT_NE((text).find(word), std::string::npos) << "'" << (word) << "' in\n" << (text)
#define EXPECT_HAS_NOT(text, word) EXPECT_EQ((text).find(word), std::string::npos) << "'" << (word) << "' in\n" << (text)

TEST(Build, TailIsAVaryingCount) {
  const std::string t = text(chain(10), {Split{"C", "i", {"i0", "i1"}, {4}}}, "build");
  EXPECT_HAS(t, "for i0 in 0..3");
  EXPECT_HAS(t, "min(4, 10 - i0 * 4)");
}

TEST(Build, GuardedTailIsTested) {
  const std::string t = text(chain(10), {Split{"C", "i", {"i0", "i1"}, {4}, ir::Tail::kGuard}}, "build");
  EXPECT_HAS(t, "for i1 in 0..4");
  EXPECT_HAS(t, "if i0 * 4 + i1 < 10");
}

TEST(Build, DivisibleTailsLeaveNothing) {
  for (const ir::Tail tail : {ir::Tail::kPartition, ir::Tail::kGuard}) {
    const std::string t = text(chain(12), {Split{"C", "i", {"i0", "i1"}, {4}, tail}}, "build");
    EXPECT_HAS_NOT(t, "min(");
    EXPECT_HAS_NOT(t, "if ");
  }
}

TEST(Build, PaddedCopiesGrowAndStoreZero) {
  const std::string t = text(chain(10), {Split{"B", "i", {"i0", "i1"}, {4}, ir::Tail::kPad}}, "build");
  EXPECT_HAS(t, "B: f32[12]");
  EXPECT_HAS(t, "if_then_else(i0 * 4 + i1 < 10");
}

TEST(Build, InitialisationStandsOutsideTheReduction) {
  const std::string t = text(matmul(4, 6, 5), {Reorder{"C", {"k", "i", "j"}}}, "build");
  EXPECT_LT(t.find("instance C init"), t.find("for k in"));
  EXPECT_EQ(count(t, "instance C init"), 1);
}

TEST(Build, DecomposedInitialisationHasItsOwnNest) {
  const std::string t = text(matmul(4, 6, 5), {DecomposeReduction{"C", "i"}}, "build");
  EXPECT_LT(t.find("instance C init"), t.find("for i_1 in"));
}

TEST(Build, PackingOfConstantsRunsAhead) {
  auto a = placeholder({4, 8}, f32, "A");
  auto b = dsl::constant({8, 32}, f32, "B");
  auto k = dsl::reduce_axis(8, "k");
  auto c = compute({4, 32}, [&](dsl::Var i, dsl::Var j) { return dsl::sum(a(i, k) * b(k, j), k); }, "C");
  const ir::Program p = lowered_to(after(start(dsl::ComputeDag::from_outputs({c})), {CacheRead{"B", {}, "Bp"}}), "outline_functions");
  ASSERT_EQ(p.launches.size(), 2U);
  EXPECT_EQ(p.launches[0].phase, ir::RunPhase::kPrepare);
  EXPECT_EQ(p.launches[1].phase, ir::RunPhase::kRun);
}

TEST(Build, SymbolicExtentsAreRefusedInOneLine) {
  const ir::Var n = dsl::symbol("n");
  auto a = placeholder({n}, f32, "A");
  auto c = compute({n}, [&](dsl::Var i) { return a(i) + 1.0; }, "C");
  const auto s = State::initial(std::make_shared<const dsl::ComputeDag>(dsl::ComputeDag::from_outputs({c})));
  ASSERT_FALSE(s.ok());
  EXPECT_NE(s.reason().find("symbolic"), std::string::npos);
}

TEST(StripInstances, LeavesPlainStatements) {
  EXPECT_HAS_NOT(text(matmul(4, 6, 5), {}, "strip_instances"), "instance");
}

TEST(PartitionTails, ConstantCountsInCopies) {
  const std::string t = text(chain(10), {ComputeInline{"B"}, Split{"C", "i", {"i0", "i1"}, {4}}}, "partition_tails");
  EXPECT_HAS_NOT(t, "min(");
  EXPECT_HAS(t, "for i0 in 0..2");
  EXPECT_EQ(count(t, "C["), 2) << t;
}

TEST(PartitionTails, BordersOfAPaddedWindow) {
  auto a = placeholder({16}, f32, "A");
  auto c = compute({16}, [&](dsl::Var i) {
    return ir::if_then_else(i >= 1, a(i - 1), 0.0) + a(i) + ir::if_then_else(i < 15, a(i + 1), 0.0);
  }, "C");
  const std::string t = text(start(dsl::ComputeDag::from_outputs({c})), {}, "partition_tails");
  EXPECT_HAS_NOT(t, "if_then_else");
  EXPECT_HAS(t, "in 1..15");
}

// Three dimensions of three ranges each are more than the 24 copies there may be. The last one is not cut, but
// its inner range still has loops of its own in which nothing is asked.
TEST(PartitionTails, ALoopTooManyAsksOnceAnIteration) {
  const std::int64_t n = 16;
  auto a = placeholder({n, n, n}, f32, "A");
  auto c = compute({n, n, n}, [&](dsl::Var z, dsl::Var y, dsl::Var x) {
    const auto inside = [&](const dsl::Expr& v, int by) { return by < 0 ? v >= -by : v < n - by; };
    dsl::Expr out = a(z, y, x);
    for (const int by : {-1, 1}) {
      out = out + ir::if_then_else(inside(z, by), a(z + by, y, x), 0.0) + ir::if_then_else(inside(y, by), a(z, y + by, x), 0.0) +
            ir::if_then_else(inside(x, by), a(z, y, x + by), 0.0);
    }
    return out;
  }, "C");
  const std::string t = text(start(dsl::ComputeDag::from_outputs({c})), {}, "partition_tails");
  EXPECT_HAS(t, "if 1 <= k && k <= 14");
  EXPECT_EQ(count(t, "C["), 18) << t;
  EXPECT_EQ(count(t, "if_then_else"), 9 * 2) << t;
}

TEST(PartitionTails, ParallelLoopsBranchInside) {
  const std::string t = text(chain(10), {ComputeInline{"B"}, Split{"C", "i", {"i0", "i1"}, {4}}, Parallel{"C", "i0"}}, "partition_tails");
  EXPECT_EQ(count(t, "parallel"), 1) << t;
  EXPECT_HAS(t, "if i0 <= 1");
}

TEST(UnrollLoops, OneCopyAnIteration) {
  const std::string t = text(chain(3), {ComputeInline{"B"}, Unroll{"C", "i"}}, "unroll_loops");
  for (const char* store : {"C[0] =", "C[1] =", "C[2] ="}) EXPECT_HAS(t, store);
  EXPECT_HAS_NOT(t, "for ");
}

TEST(UnrollLoops, PartialWithARemainder) {
  const std::string t = text(chain(10), {ComputeInline{"B"}, Annotate{"C", "i", "unroll", 4}}, "unroll_loops");
  EXPECT_HAS(t, "0..2");
  EXPECT_EQ(count(t, "C["), 6) << t;
}

TEST(UnrollLoops, RefusesProgramsWithoutEnd) {
  Options o;
  o.max_statements = 100;
  const State s = after(matmul(20, 20, 20), {Unroll{"C", "i"}, Unroll{"C", "j"}});
  const auto r = lower(s, o);
  ASSERT_FALSE(r.ok());
  EXPECT_NE(r.reason().find("100 statements"), std::string::npos) << r.reason();
}

TEST(FlattenBuffers, OneIndexThroughTheLayout) {
  const std::string t = text(matmul(4, 6, 5), {}, "flatten_buffers");
  EXPECT_HAS(t, "C[i * 6 + j]");
  const std::string packed = text(matmul(4, 32, 5), {Pack{"B", {}, "Bp", {{"d1", 0}, {"d0", 0}, {"d1", 16}}}}, "flatten_buffers");
  EXPECT_HAS(packed, "Bp[");
}

TEST(VectorizeLoops, WholeVectorsHaveNoMask) {
  const std::string t = text(chain(8), {ComputeInline{"B"}, Vectorize{"C", "i"}}, "vectorize_loops");
  EXPECT_HAS(t, "ramp(0, 1, 8)");
  EXPECT_HAS_NOT(t, "<");
  EXPECT_HAS_NOT(t, "for ");
}

TEST(VectorizeLoops, OddCountsAreMasked) {
  const std::string t = text(chain(5), {ComputeInline{"B"}, Vectorize{"C", "i"}}, "vectorize_loops");
  EXPECT_HAS(t, "ramp(0, 1, 8)");
  EXPECT_HAS(t, "<");
}

TEST(VectorizeLoops, StridesStayRamps) {
  auto a = placeholder({16}, f32, "A");
  auto c = compute({8}, [&](dsl::Var i) { return a(i * 2 + 1); }, "C");
  const State s = start(dsl::ComputeDag::from_outputs({c}));
  EXPECT_HAS(text(s, {Vectorize{"C", s.find("C")->leaves[0]}}, "vectorize_loops"), "A[ramp(1, 2, 8)]");
}

TEST(OutlineFunctions, EqualBodiesShareOne) {
  const std::string t = text(chain(10), {ComputeInline{"B"}, Split{"C", "i", {"i0", "i1"}, {4}}, Outline{"C", "i0"}}, "outline_functions");
  EXPECT_HAS(t, "kernel.part0");
  const ir::Program p = lowered_to(after(matmul(8, 6, 5), {Outline{"C", "i"}}), "outline_functions");
  EXPECT_EQ(p.functions.size(), 2U);
  EXPECT_EQ(p.functions.back().name, p.launches.back().function) << "callees come before callers";
}

TEST(Mutants, HaveNames) {
  for (int i = 0; i < static_cast<int>(Mutant::kCount); ++i) {
    EXPECT_NE(to_string(static_cast<Mutant>(i)), nullptr);
    EXPECT_STRNE(to_string(static_cast<Mutant>(i)), "");
  }
}

}  // namespace
}  // namespace tessera::lower
