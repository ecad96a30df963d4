// Two independent judges of structured loops: the verifier, for all iterations at once, and the interpreter in
// exact mode, one iteration at a time. What the verifier accepts must be right in the interpreter.
#include <gtest/gtest.h>

#include <iostream>

#include "driver/fuzz/check_pair.h"
#include "driver/fuzz/random_program.h"
#include "driver/fuzz/random_schedule.h"
#include "ir/check.h"
#include "ir/interpret.h"
#include "ir/print.h"
#include "support/large_stack.h"
#include "tests/polyhedral/cut_mutants.h"
#include "tests/polyhedral/programs.h"
#include "tests/support/options.h"

namespace tessera::polyhedral::test {
namespace {

using driver::CheckedProgram;

constexpr std::int64_t kSteps = 5'000'000;  // of the interpreter, for programs that a mutant makes long

/// What the interpreter says is wrong; empty: nothing. Nothing at all when it would take too long.
std::optional<std::string> interpreted(const CheckedProgram& program, const ir::Program& loops) {
  ir::InterpretOptions options;
  options.max_steps = kSteps;
  const auto got = ir::interpret(loops, program.inputs, options);
  if (!got.ok()) return got.reason().find("steps") != std::string::npos ? std::nullopt : std::optional(got.reason());
  std::size_t i = 0;
  for (const ir::ProgramBuffer& b : loops.buffers) {
    if (b.role != ir::BufferRole::kOutput) continue;
    if (std::string d = driver::difference(b.buffer->name, program.expected.at(b.buffer->name), (*got)[i++]); !d.empty()) return d;
  }
  return "";
}

/// How the two judge.
struct Tally {
  int rejected = 0;  // by both
  int accepted = 0;  // by both
  int stricter = 0;  // rejected by the verifier alone: wrong for other values, or more than is needed
  int unknown = 0;
  std::map<std::string, int> disagreements;  // of `stricter`, by mutant and fault

  void judge(const CheckedProgram& program, const Equations& equations, const ir::Program& loops, const char* mutant, const std::string& what) {
    if (!ir::check_well_formed(loops).ok()) return;
    const auto wrong = interpreted(program, loops);
    if (!wrong) return;
    const Verdict v = verify(equations, loops);
    if (v.ok()) {
      EXPECT_EQ(*wrong, "") << what << " is accepted\n" << program.dag.to_string() << ir::to_string(loops);
      ++accepted;
    } else if (!v.illegal()) {
      ++unknown;
    } else {
      ++(wrong->empty() ? stricter : rejected);
      if (wrong->empty()) ++disagreements[std::string(mutant) + ": " + to_string(v.violations[0].fault)];
      // A counter-example: an element, or the name of a loop or of a buffer that is at fault as a whole.
      EXPECT_TRUE(v.violations[0].what.find('[') != std::string::npos || v.violations[0].what.find('\'') != std::string::npos) << v;
    }
  }
};

struct Subject {
  std::string name;
  Schedule schedule;
  ir::TargetKind target = ir::TargetKind::kCpu;
};

/// Five operators under schedules that between them use tiles, copies, windows, recomputation, threads.
std::vector<Subject> subjects() {
  std::vector<Subject> out;
  out.push_back({"matmul", tiled_matmul(20, 8, 6, 7)});
  out.push_back({"convolution", tiled_convolution(4, 6, 3, 4, 5)});
  {
    auto x = placeholder({6, 17}, f32, "X");
    auto k = dsl::reduce_axis(17, "k"), l = dsl::reduce_axis(17, "l");
    auto top = compute({6}, [&](Var i) { return dsl::max(x(i, k), k); }, "M");
    auto less = compute({6, 17}, [&](Var i, Var j) { return x(i, j) - top(i); }, "D");
    auto sum = compute({6}, [&](Var i) { return dsl::sum(less(i, l), l); }, "S");
    auto y = compute({6, 17}, [&](Var i, Var j) { return less(i, j) * sum(i); }, "Y");
    Schedule s(ComputeDag::from_outputs({y}));
    s.compute_at("S", "Y", "i").compute_at("D", "Y", "i").compute_at("M", "Y", "i").parallel("Y", "i");
    out.push_back({"rows", std::move(s)});
  }
  {
    auto x = placeholder({31, 5}, f32, "X");
    auto b = compute({31, 5}, [&](Var i, Var j) { return x(i, j) * 2.0; }, "B");
    auto c = compute({29, 5}, [&](Var i, Var j) { return b(i, j) + b(i + 1, j) - b(i + 2, j); }, "C");
    Schedule s(ComputeDag::from_outputs({c}));
    s.split("C", "i", {"i0", "i1"}, {4}).compute_at("B", "C", "i0").rolling_window("B");
    out.push_back({"stencil", std::move(s)});
  }
  out.push_back({"gpu matmul", gpu_matmul(40), ir::TargetKind::kCuda});
  {
    auto a = placeholder({8, 24}, f32, "A");
    auto k = dsl::reduce_axis(24, "k");
    auto c = compute({8}, [&](Var i) { return dsl::sum(a(i, k), k); }, "C");
    auto d = compute({8}, [&](Var i) { return c(7 - i) * 2.0; }, "D");
    Schedule s(ComputeDag::from_outputs({d}));
    s.bind("C", "i", ForKind::kBlockX).bind("C", "k", ForKind::kThreadX).bind("D", "i", ForKind::kThreadX);
    out.push_back({"joined sum", std::move(s), ir::TargetKind::kCuda});
  }
  return out;
}

TEST(Judges, EverySeededDefectIsRejected) {
  std::map<std::string, int> rejected;
  Tally all;
  run_with_large_stack([&] {
    for (const Subject& subject : subjects()) {
      const CheckedProgram program = CheckedProgram::make(subject.schedule.state().dag(), tessera::test::options().seed).or_throw();
      const Equations equations = equations_of(subject.schedule.state()).or_throw();
      const ir::Program loops = loops_of(subject.schedule, subject.target);
      ASSERT_TRUE(verify(equations, loops).ok()) << subject.name << ": " << verify(equations, loops) << ir::to_string(loops);
      for (int m = 0; m < static_cast<int>(CutMutant::kCount); ++m) {
        const auto mutant = static_cast<CutMutant>(m);
        Tally t;
        for (int site = 0; site < 6; ++site) {
          const auto wrong = mutated(loops, mutant, site);
          if (!wrong) break;
          t.judge(program, equations, *wrong, to_string(mutant), subject.name + " " + to_string(mutant) + " " + std::to_string(site));
        }
        rejected[to_string(mutant)] += t.rejected + t.stricter;
        all.rejected += t.rejected;
        all.accepted += t.accepted;
        all.stricter += t.stricter;
        all.unknown += t.unknown;
      }
    }
  });
  for (const auto& [mutant, n] : rejected) {
    // Legal wherever they are tried here: two loops without a statement between them change places, threads that
    // claim to join do, and a stage that is computed again gives what it gave.
    if (mutant == "interchanged" || mutant == "join_claimed" || mutant == "stage_twice") continue;
    EXPECT_GT(n, 0) << mutant;
  }
  EXPECT_GE(rejected.size(), 40U);
  EXPECT_GT(all.rejected, 400);
  RecordProperty("rejected", all.rejected);
  RecordProperty("accepted", all.accepted);
  RecordProperty("stricter", all.stricter);
  RecordProperty("unknown", all.unknown);
}

/// `programs` random programs under random schedules, each as it is and with `mutants` random defects.
Tally judge_random(ir::TargetKind target, int programs, int mutants, Tally& unmodified) {
  Tally out;
  const std::uint64_t seed = tessera::test::options().seed;
  run_with_large_stack([&] {
    for (int p = 0; p < programs; ++p) {
      Rng rng(seed, {static_cast<std::uint64_t>(p), 77});
      const CheckedProgram program = CheckedProgram::make(driver::random_program(rng), seed + static_cast<std::uint64_t>(p)).or_throw();
      const auto initial = schedule::State::initial(std::make_shared<const ComputeDag>(program.dag)).or_throw();
      driver::WalkStatistics met;
      const driver::Walk walk = target == ir::TargetKind::kCuda ? driver::random_cuda_schedule(initial, rng, static_cast<int>(rng.between(4, 40)), met)
                                                               : driver::random_schedule(initial, rng, static_cast<int>(rng.between(2, 22)), met);
      lower::Options options;
      options.target = target;
      const auto loops = lower::build(walk.state, options);
      if (!loops.ok()) continue;
      const Equations equations = equations_of(walk.state).or_throw();
      const std::string name = "program " + std::to_string(p);
      const Verdict v = verify(equations, *loops);
      EXPECT_FALSE(v.illegal()) << name << ": " << v << "\n" << program.dag.to_string() << ir::to_string(*loops);
      ++(v.ok() ? unmodified.accepted : unmodified.unknown);
      for (int m = 0; m < mutants; ++m) {
        const auto mutant = static_cast<CutMutant>(rng.below(static_cast<std::uint64_t>(CutMutant::kCount)));
        int sites = 0;
        while (sites < 50 && mutated(*loops, mutant, sites)) ++sites;
        if (sites == 0) continue;
        const int site = static_cast<int>(rng.below(static_cast<std::uint64_t>(sites)));
        out.judge(program, equations, *mutated(*loops, mutant, site), to_string(mutant), name + " " + to_string(mutant) + " " + std::to_string(site));
      }
    }
  });
  return out;
}

class RandomPrograms : public ::testing::TestWithParam<ir::TargetKind> {};

TEST_P(RandomPrograms, AreAcceptedAndTheirDefectsAreNot) {
  RecordProperty("seed", std::to_string(tessera::test::options().seed));
  Tally unmodified;
  const Tally t = judge_random(GetParam(), 120, 4, unmodified);
  EXPECT_LE(unmodified.unknown * 100, unmodified.accepted);
  EXPECT_GT(t.rejected, 50);
  RecordProperty("rejected", t.rejected);
  RecordProperty("accepted", t.accepted);
  RecordProperty("stricter", t.stricter);
  RecordProperty("unknown", t.unknown);
}

/// Minutes: by name (docs/proofs.md).
TEST(Judges, DISABLED_ThousandsOfPrograms) {
  Tally unmodified, mutants;
  const auto add = [&](ir::TargetKind target, int programs) {
    const Tally t = judge_random(target, programs, 4, unmodified);
    mutants.rejected += t.rejected;
    mutants.accepted += t.accepted;
    mutants.stricter += t.stricter;
    mutants.unknown += t.unknown;
    for (const auto& [what, n] : t.disagreements) mutants.disagreements[what] += n;
  };
  add(ir::TargetKind::kCpu, 2000);
  add(ir::TargetKind::kCuda, 500);
  for (const auto& [what, n] : mutants.disagreements) std::cout << "right where it was run, rejected: " << what << ": " << n << "\n";
  std::cout << "unmodified: " << unmodified.accepted + unmodified.unknown << " unknown: " << unmodified.unknown << " mutants: "
            << mutants.rejected + mutants.accepted + mutants.stricter + mutants.unknown << " rejected by both: " << mutants.rejected << " accepted by both: " << mutants.accepted
            << " rejected alone: " << mutants.stricter << " unknown: " << mutants.unknown << std::endl;
}

INSTANTIATE_TEST_SUITE_P(Judges, RandomPrograms, ::testing::Values(ir::TargetKind::kCpu, ir::TargetKind::kCuda),
                         [](const auto& info) { return info.param == ir::TargetKind::kCuda ? "cuda" : "cpu"; });

}  // namespace
}  // namespace tessera::polyhedral::test
