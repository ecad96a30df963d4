// What the verifier says of single programs: accepted ones, and the words for what is wrong with others.
#include <gtest/gtest.h>

#include <ctime>

#include "ir/print.h"
#include "tests/polyhedral/cut_mutants.h"
#include "tests/polyhedral/programs.h"

namespace tessera::polyhedral::test {
namespace {

constexpr ir::TargetKind kCuda = ir::TargetKind::kCuda;

double cpu_milliseconds() {
  timespec t{};
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
  return static_cast<double>(t.tv_sec) * 1e3 + static_cast<double>(t.tv_nsec) * 1e-6;
}

/// The least of three runs; the first one warms nothing that the next needs.
double cost_of(const Schedule& s, ir::TargetKind target) {
  const Equations program = equations_of(s.state()).or_throw();
  const ir::Program loops = loops_of(s, target);
  double best = 1e9;
  for (int i = 0; i < 3; ++i) {
    const double start = cpu_milliseconds();
    const Verdict v = verify(program, loops);
    best = std::min(best, cpu_milliseconds() - start);
    EXPECT_TRUE(v.ok()) << v << "\n" << ir::to_string(loops);
  }
  return best;
}

// CPU time allowed: twice what is asked of a Zen 5, since a test machine may be any.
TEST(VerifyCost, TiledMatmul) { EXPECT_LT(cost_of(tiled_matmul(1000, 32, 64, 32), ir::TargetKind::kCpu), 80); }
TEST(VerifyCost, ThreeLevelConvolution) {
  EXPECT_LT(cost_of(tiled_convolution(64, 56, 16, 8, 28), ir::TargetKind::kCpu), 660);
  EXPECT_LT(cost_of(tiled_convolution(64, 56, 24, 10, 12), ir::TargetKind::kCpu), 660) << "tiles that do not divide";
}
TEST(VerifyCost, GpuMatmul) {
  EXPECT_LT(cost_of(gpu_matmul(1024), kCuda), 400);
  EXPECT_LT(cost_of(gpu_matmul(1000), kCuda), 400) << "tiles that do not divide";
}

TEST(Verify, RecomputedProducersAreLegal) {
  auto x = placeholder({50}, f32, "X");
  auto b = compute({52}, [&](Var i) { return x(ir::min(ir::Expr(i), ir::Expr(49))) * 2.0; }, "B");
  auto c = compute({50}, [&](Var i) { return b(i) + b(i + 1) + b(i + 2); }, "C");
  Schedule s(ComputeDag::from_outputs({c}));
  s.split("C", "i", {"i0", "i1"}, {8}).compute_at("B", "C", "i0").parallel("C", "i0");
  EXPECT_TRUE(verdict_of(s).ok()) << verdict_of(s);
}

TEST(Verify, RollingWindowsAreLegal) {
  auto x = placeholder({52}, f32, "X");
  auto b = compute({52}, [&](Var i) { return x(i) * 2.0; }, "B");
  auto c = compute({50}, [&](Var i) { return b(i) + b(i + 1) + b(i + 2); }, "C");
  Schedule s(ComputeDag::from_outputs({c}));
  s.split("C", "i", {"i0", "i1"}, {8}).compute_at("B", "C", "i0").rolling_window("B");
  const ir::Program loops = loops_of(s);
  const Equations program = equations_of(s.state()).or_throw();
  EXPECT_TRUE(verify(program, loops).ok()) << verify(program, loops) << ir::to_string(loops);
  // A window one element shorter loses what the next tile still reads.
  int refused = 0;
  for (int site = 0; const auto wrong = mutated(loops, CutMutant::kWindowSmall, site); ++site) refused += verify(program, *wrong).illegal();
  EXPECT_GT(refused, 0);
}

TEST(Verify, ScansAreLegalInTheirOrderOnly) {
  auto x = placeholder({20, 6}, f32, "X");
  auto state = dsl::scan_state({20, 6}, f32, "S");
  auto sum = dsl::scan(state, {}, [&](Var t, Var j) { return x(t, j); }, [&](Var t, Var j) { return state(t - 1, j) + x(t, j); });
  Schedule s(ComputeDag::from_outputs({sum}));
  EXPECT_TRUE(verdict_of(s).ok()) << verdict_of(s);
  const auto wrong = mutated(loops_of(s), CutMutant::kParallel, 0);
  const Verdict v = verify(equations_of(s.state()).or_throw(), *wrong);
  ASSERT_TRUE(v.illegal());
  EXPECT_EQ(v.violations[0].fault, Fault::kRace);
}

Schedule small_matmul() {
  auto a = placeholder({4, 6}, f32, "A"), b = placeholder({6, 5}, f32, "B");
  auto k = dsl::reduce_axis(6, "k");
  auto c = compute({4, 5}, [&](Var i, Var j) { return dsl::sum(a(i, k) * b(k, j), k); }, "C");
  return Schedule(ComputeDag::from_outputs({c}));
}

struct Wrong {
  CutMutant mutant;
  int site;
  Fault fault;
  std::vector<std::string> words;
};

TEST(Verify, SaysWhatIsWrongAndWhere) {
  const Schedule s = small_matmul();
  const ir::Program loops = loops_of(s);
  const Equations program = equations_of(s.state()).or_throw();
  ASSERT_TRUE(verify(program, loops).ok()) << verify(program, loops);
  // Sites count loops outermost first (i, j, k), statements and accesses in order.
  const std::vector<Wrong> cases{
      {CutMutant::kExtentShort, 0, Fault::kCoverage, {"output element C[3, 0] is never computed"}},
      {CutMutant::kExtentLong, 1, Fault::kBounds, {"C[", "5]", "outside of its extents", "j = 5"}},
      {CutMutant::kExtentShort, 2, Fault::kReduction, {"term C[", "5]", "is not added"}},
      {CutMutant::kExtentLong, 2, Fault::kBounds, {"A[", "6]", "k = 6"}},
      {CutMutant::kParallel, 2, Fault::kRace, {"parallel loop 'k'", "both touch C[", "one writes it"}},
      {CutMutant::kVector, 2, Fault::kRace, {"vector loop 'k'"}},
      {CutMutant::kStartInside, 0, Fault::kReduction, {"is not added to what was started in i = ", "loop 'k'"}},
      {CutMutant::kStartDropped, 0, Fault::kReduction, {"has no start value"}},
      {CutMutant::kSwapped, 0, Fault::kReduction, {"adds terms before its start value is set"}},
      {CutMutant::kStoreNext, 0, Fault::kBounds, {"stores to C[", "5]"}},
      {CutMutant::kLoadSwapped, 0, Fault::kValue, {"adds to C["}},
      {CutMutant::kCoordinateNext, 1, Fault::kReduction, {"term C["}},
  };
  for (const Wrong& w : cases) {
    SCOPED_TRACE(std::string(to_string(w.mutant)) + " " + std::to_string(w.site));
    const auto wrong = mutated(loops, w.mutant, w.site);
    ASSERT_TRUE(wrong.has_value());
    const Verdict v = verify(program, *wrong);
    ASSERT_TRUE(v.illegal()) << v << ir::to_string(*wrong);
    const bool found = std::any_of(v.violations.begin(), v.violations.end(), [&](const Violation& x) { return x.fault == w.fault; });
    EXPECT_TRUE(found) << v;
    for (const std::string& word : w.words) EXPECT_NE(to_string(v).find(word), std::string::npos) << "'" << word << "' is not in: " << v;
  }
}

TEST(Verify, WhatItCannotReadIsUnknown) {
  const Schedule s = small_matmul();
  ir::Program loops = loops_of(s);
  loops.functions[0].body = ir::block({loops.functions[0].body, ir::make_stmt<ir::Evaluate>(Expr(1))});
  const Verdict v = verify(equations_of(s.state()).or_throw(), loops);
  EXPECT_FALSE(v.ok());
  EXPECT_FALSE(v.illegal());
  ASSERT_EQ(v.unknown.size(), 1U);
  EXPECT_NE(to_string(v).find("unknown: statement: Evaluate"), std::string::npos) << v;
}

TEST(Verify, ALimitOfTimeIsUnknown) {
  const Schedule s = tiled_convolution(64, 56, 24, 10, 12);
  const Verdict v = verify(equations_of(s.state()).or_throw(), loops_of(s), {.limit = std::chrono::milliseconds(1)});
  EXPECT_FALSE(v.illegal());
  ASSERT_EQ(v.unknown.size(), 1U);
  EXPECT_EQ(v.unknown[0].primitive, "timeout");
}

TEST(Verify, ReadsThatDataChoose) {
  auto table = placeholder({10, 4}, f32, "T");
  auto index = dsl::with_values(placeholder({7}, ir::i32, "index"), dsl::below(10));
  auto wild = placeholder({7}, ir::i32, "wild");
  const auto gather = [&](const dsl::Tensor& from) {
    return Schedule(ComputeDag::from_outputs({compute({7, 4}, [&](Var i, Var j) { return table(ir::max(ir::min(ir::cast(ir::i64, from(i)), Expr(9)), Expr(0)), j); }, "G")}));
  };
  EXPECT_TRUE(verdict_of(gather(index)).ok()) << verdict_of(gather(index));
  EXPECT_TRUE(verdict_of(gather(wild)).ok()) << verdict_of(gather(wild));
  // Another element of the table, or of the indices.
  const Schedule s = gather(index);
  for (const CutMutant m : {CutMutant::kLoadNext, CutMutant::kLoadFixed}) {
    for (int site = 0; const auto wrong = mutated(loops_of(s), m, site); ++site) {
      EXPECT_TRUE(verify(equations_of(s.state()).or_throw(), *wrong).illegal()) << to_string(m) << " " << site << ir::to_string(*wrong);
    }
  }
}

TEST(Verify, JoiningThreadsMustSaySo) {
  auto a = placeholder({8, 64}, f32, "A");
  auto k = dsl::reduce_axis(64, "k");
  auto c = compute({8}, [&](Var i) { return dsl::sum(a(i, k), k); }, "C");
  Schedule s(ComputeDag::from_outputs({c}));
  s.bind("C", "i", ForKind::kBlockX).bind("C", "k", ForKind::kThreadX);
  EXPECT_TRUE(verdict_of(s, kCuda).ok()) << verdict_of(s, kCuda);
  const auto wrong = mutated(loops_of(s, kCuda), CutMutant::kJoinForgotten, 0);
  ASSERT_TRUE(wrong.has_value());
  const Verdict v = verify(equations_of(s.state()).or_throw(), *wrong);
  ASSERT_TRUE(v.illegal());
  EXPECT_EQ(v.violations[0].fault, Fault::kRace);
  EXPECT_NE(v.violations[0].what.find("thread.x loop 'k'"), std::string::npos) << v;
}

}  // namespace
}  // namespace tessera::polyhedral::test
