// The verifier and packs: what it finds illegal is not compiled, not emulated as right, and never the best.
#include <gtest/gtest.h>

#include <atomic>

#include "codegen/cuda/nvrtc.h"
#include "driver/compile.h"
#include "driver/fuzz/emulated_check.h"
#include "search/pack.h"
#include "search/pack_emulation.h"
#include "search/pack_run.h"
#include "tests/search/invented.h"

namespace tessera::search {
namespace {

using driver::VerifyWhen;
using runtime::MeasureStatus;

constexpr VerifyWhen kAll[] = {VerifyWhen::kAlways, VerifyWhen::kBest, VerifyWhen::kNever};
const auto kGoOn = [] { return false; };

Task cuda_task() {
  Task t;
  t.op = "softmax";
  t.dag = ops::build({.op = "softmax", .shape = {{"m", 6}, {"n", 40}}, .layout = "", .dtype = ""}).or_throw();
  t.target = driver::resolve_target("cuda -arch=sm_80");
  return t;
}

std::uint64_t hash_of(const schedule::Plan& plan) { return hash_bytes(dump_json(write_json(std::get<schedule::StepList>(plan)))); }

/// Finds what `is_illegal` says illegal; counts how often it is asked.
struct PlantedVerifier {
  std::function<bool(const schedule::Plan&)> is_illegal;
  std::atomic<int> asked{0};

  Verifier verifier() {
    return [this](const dsl::ComputeDag&, const schedule::Plan& plan, const ir::Target&) -> Result<polyhedral::Verdict> {
      ++asked;
      polyhedral::Verdict v;
      if (is_illegal(plan)) v.violations.push_back({polyhedral::Fault::kRace, "Y", "k", "iterations 0 and 1 both touch Y[0, 0]"});
      return v;
    };
  }
};

/// Candidates with images that nobody runs.
tuning_logs::Pack invented_pack(const Task& task, int count) {
  tuning_logs::Pack pack;
  for (const Candidate& c : pack_candidates(task, {.count = count}, {})) {
    pack.candidates.push_back({.trial = c.trial, .sketch = c.sketch, .decisions = c.decisions, .plan = c.steps, .message = "", .image = runtime::KernelImage{}});
  }
  return pack;
}

TEST(MeasuredPack, IllegalKernelsAreNeverTheBest) {
  const Task task = cuda_task();
  tuning_logs::Pack pack = invented_pack(task, 40);
  pack.candidates[7].image.reset();
  pack.candidates[7].status = MeasureStatus::kResource;
  pack.candidates[7].message = "too much";
  for (const VerifyWhen when : kAll) {
    SCOPED_TRACE(enum_names(when)[static_cast<std::size_t>(when)]);
    // The smallest third of the times is illegal.
    PlantedVerifier planted{[](const schedule::Plan& plan) { return hash_of(plan) % 100000 < 33000; }};
    std::vector<Trial> trials, finals;
    SearchHooks hooks;
    hooks.trial = [&](const Trial& t) { trials.push_back(t); };
    hooks.final_trial = [&](const Trial& t) { finals.push_back(t); };
    HashMeasurer measurer;
    const SearchResult r = measure_pack(task, pack, {.verify = when, .verifier = planted.verifier()}, measurer, hooks);
    ASSERT_TRUE(r.best.has_value());
    ASSERT_EQ(trials.size(), 40U);
    EXPECT_EQ(r.progress.trials, 40);
    EXPECT_EQ(measurer.seen.size(), 39U);
    EXPECT_EQ(trials[7].measurement.status, MeasureStatus::kResource);
    EXPECT_EQ(finals.size(), 5U);
    EXPECT_EQ(planted.is_illegal(r.best->candidate.steps), when == VerifyWhen::kNever);
    EXPECT_EQ(r.proof.has_value(), when != VerifyWhen::kNever);
    const int illegal = r.progress.failed.contains("illegal") ? r.progress.failed.at("illegal") : 0;
    EXPECT_EQ(r.progress.ok + illegal + 1, 40);
    EXPECT_EQ(illegal > 0, when != VerifyWhen::kNever);
    EXPECT_EQ(planted.asked == 39, when == VerifyWhen::kAlways) << planted.asked;
    EXPECT_EQ(planted.asked == 0, when == VerifyWhen::kNever) << planted.asked;
    for (const Trial& t : trials) {
      if (t.measurement.status != MeasureStatus::kIllegal) continue;
      EXPECT_EQ(t.measurement.phase, "verify");
      EXPECT_EQ(t.measurement.message, "iterations 0 and 1 both touch Y[0, 0]");
    }
    if (when == VerifyWhen::kNever) continue;
    for (const Trial& t : finals) EXPECT_FALSE(planted.is_illegal(t.candidate.steps));
  }
}

TEST(MeasuredPack, AnInterruptedRunKeepsItsBest) {
  const Task task = cuda_task();
  const tuning_logs::Pack pack = invented_pack(task, 12);
  int seen = 0;
  SearchHooks hooks;
  hooks.trial = [&](const Trial&) { ++seen; };
  hooks.stop = [&] { return seen >= 3; };
  HashMeasurer measurer;
  const SearchResult r = measure_pack(task, pack, {.verify = VerifyWhen::kNever}, measurer, hooks);
  EXPECT_TRUE(r.stopped);
  EXPECT_EQ(r.progress.trials, 3);
  EXPECT_TRUE(r.best.has_value());
}

TEST(MeasuredPack, WhatWasProvedWrongBeforeItWasCompiledStaysSo) {
  tuning_logs::PackedCandidate c;
  c.trial = 11;
  c.status = MeasureStatus::kIllegal;
  const Trial t = trial_of(c);
  EXPECT_EQ(t.measurement.status, MeasureStatus::kIllegal);
  EXPECT_EQ(t.measurement.phase, "verify");
  EXPECT_EQ(std::pair(t.candidate.batch, t.candidate.slot), std::pair(1, 3));
}

/// A peak that kernels may pass would call the fastest implausible.
TEST(MeasuredPack, PeakOfPlainProductsOnly) {
  Task t = small_task();
  t.target = driver::resolve_target("cuda -arch=sm_80");
  EXPECT_EQ(peak_gflops(t), 19500);
  t.target = driver::resolve_target("cuda -arch=sm_80 -allow=tf32");
  EXPECT_EQ(peak_gflops(t), 0);
}

TEST(BuiltPack, TheVerifierIsAskedBeforeCompiling) {
  const Task task = cuda_task();
  const std::vector<Candidate> candidates = pack_candidates(task, {.count = 7}, {});
  ASSERT_EQ(candidates.size(), 7U);
  for (const VerifyWhen when : kAll) {
    SCOPED_TRACE(enum_names(when)[static_cast<std::size_t>(when)]);
    if (when != VerifyWhen::kAlways && !codegen::nvrtc().ok()) GTEST_SKIP() << codegen::nvrtc().reason();
    for (const int jobs : {1, 3}) {
      PlantedVerifier planted{[](const schedule::Plan&) { return true; }};
      std::vector<tuning_logs::PackedCandidate> built;
      build_candidates(task, candidates, {.jobs = jobs, .verify = when, .verifier = planted.verifier()},
                       [&](tuning_logs::PackedCandidate c) { built.push_back(std::move(c)); }, kGoOn);
      ASSERT_EQ(built.size(), 7U);
      const std::size_t proved = when == VerifyWhen::kAlways ? 7 : when == VerifyWhen::kBest ? 5 : 0;
      EXPECT_EQ(planted.asked, static_cast<int>(proved));
      for (std::size_t i = 0; i < built.size(); ++i) {
        EXPECT_EQ(built[i].trial, static_cast<int>(i));
        EXPECT_EQ(built[i].status == MeasureStatus::kIllegal, i < proved) << i;
        EXPECT_EQ(built[i].image.has_value(), i >= proved) << i << ": " << built[i].message;
      }
    }
  }
}

/// What is compiled here is the text alone, which is all that the emulator needs.
tuning_logs::Pack printed_pack(const Task& task, int count) {
  tuning_logs::Pack pack = invented_pack(task, count);
  for (tuning_logs::PackedCandidate& c : pack.candidates) {
    c.image->build.source_hash = driver::source_hash(driver::finished_program(task.dag, c.plan, task.target).or_throw()).or_throw();
  }
  return pack;
}

TEST(EmulatedPack, IllegalKernelsAreNotRun) {
  const Task task = cuda_task();
  const tuning_logs::Pack pack = printed_pack(task, 7);
  for (const VerifyWhen when : kAll) {
    SCOPED_TRACE(enum_names(when)[static_cast<std::size_t>(when)]);
    PlantedVerifier planted{[](const schedule::Plan&) { return true; }};
    const EmulationCounts counts = emulate_pack(task, pack, {.jobs = 2, .verify = when, .verifier = planted.verifier()}, kGoOn);
    const int proved = when == VerifyWhen::kAlways ? 7 : when == VerifyWhen::kBest ? 5 : 0;
    EXPECT_EQ(planted.asked, proved);
    EXPECT_EQ(counts.illegal, proved);
    EXPECT_EQ(counts.ok, 7 - proved) << (counts.reasons.empty() ? "" : counts.reasons.back());
    EXPECT_EQ(counts.reasons.empty(), proved == 0);
    for (const std::string& r : counts.reasons) EXPECT_NE(r.find("both touch Y[0, 0]"), std::string::npos) << r;
  }
}

/// A copy has no multiply-adds, and a large one as many threads as any program: a part of its blocks stands for all.
TEST(EmulatedPack, LargeCopiesRunInPart) {
  const auto samples = [](std::int64_t n) {
    const auto copy = ops::build({.op = "transpose", .shape = {{"m", n}, {"n", 1024}}, .layout = "", .dtype = ""}).or_throw();
    return driver::EmulationOracle(copy, 1).samples_blocks();
  };
  EXPECT_FALSE(samples(4096));
  EXPECT_TRUE(samples(8192));
}

}  // namespace
}  // namespace tessera::search
