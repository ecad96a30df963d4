// The loop with a measurer that invents times: proposals, determinism, resuming, logging.
#include "search/search.h"

#include <gtest/gtest.h>

#include <set>

#include "search/session.h"
#include "tests/search/invented.h"
#include "tests/support/command.h"

namespace tessera::search {
namespace {

TEST(Search, SameSeedSameProposals) {
  std::vector<std::vector<std::string>> runs;
  for (int i = 0; i < 2; ++i) {
    HashMeasurer m;
    Search(small_task(), {.trials = 40, .seed = 9}).run(m, {});
    runs.push_back(m.seen);
  }
  EXPECT_EQ(runs[0].size(), 40U);
  EXPECT_EQ(runs[0], runs[1]);
  HashMeasurer other;
  Search(small_task(), {.trials = 40, .seed = 10}).run(other, {});
  EXPECT_NE(runs[0], other.seen);
}

TEST(Search, BestIsTheSmallestAndNothingIsRejected) {
  HashMeasurer m;
  std::int64_t smallest = INT64_MAX;
  SearchHooks hooks;
  hooks.trial = [&](const Trial& t) { smallest = std::min(smallest, t.measurement.min_ns()); };
  const SearchResult r = Search(small_task(), {.trials = 64, .seed = 1}).run(m, hooks);
  EXPECT_EQ(r.rejected, 0);
  EXPECT_EQ(r.progress.ok, 64);
  ASSERT_TRUE(r.best.has_value());
  EXPECT_EQ(r.best->measurement.min_ns(), smallest);
}

TEST(Search, FirstTrialIsTheDefaultPlan) {
  Search s(small_task(), {.trials = 8, .seed = 1});
  const auto batch = s.propose(0);
  ASSERT_EQ(batch.size(), 8U);
  EXPECT_EQ(batch[0].sketch, "default");
}

TEST(Search, NoProposalComesTwice) {
  HashMeasurer m;
  Search(small_task(), {.trials = 200, .seed = 3}).run(m, {});
  std::set<std::string> hashes;
  for (const std::string& s : m.seen) EXPECT_TRUE(hashes.insert(s.substr(s.find(' '))).second) << s;
}

/// What the verifier finds illegal is never the best, however fast it was, and the log says why.
TEST(Search, IllegalSchedulesAreNeverTheBest) {
  for (const driver::VerifyWhen when : {driver::VerifyWhen::kBest, driver::VerifyWhen::kAlways, driver::VerifyWhen::kNever}) {
    SCOPED_TRACE(enum_names(when)[static_cast<std::size_t>(when)]);
    // The smallest third of the times is illegal.
    const auto is_illegal = [](const schedule::Plan& plan) { return hash_bytes(dump_json(write_json(std::get<schedule::StepList>(plan)))) % 100000 < 33000; };
    int asked = 0;
    SearchOptions o{.trials = 60, .seed = 1, .verify = when};
    o.verifier = [&](const dsl::ComputeDag&, const schedule::Plan& plan, const ir::Target&) -> Result<polyhedral::Verdict> {
      ++asked;
      polyhedral::Verdict v;
      if (is_illegal(plan)) v.violations.push_back({polyhedral::Fault::kRace, "C", "k", "iterations 0 and 1 both touch C[0, 0]"});
      return v;
    };
    std::vector<std::string> why;
    SearchHooks hooks;
    hooks.trial = [&](const Trial& t) {
      if (!t.ok()) why.push_back(std::string(runtime::to_string(t.measurement.status)) + " " + t.measurement.phase + " " + t.measurement.message);
    };
    HashMeasurer m;
    const SearchResult r = Search(small_task(), o).run(m, hooks);
    ASSERT_TRUE(r.best.has_value());
    if (when == driver::VerifyWhen::kNever) {
      EXPECT_EQ(asked, 0);
      EXPECT_FALSE(r.proof.has_value());
      EXPECT_TRUE(is_illegal(r.best->candidate.steps));
      continue;
    }
    EXPECT_FALSE(is_illegal(r.best->candidate.steps));
    EXPECT_TRUE(r.proof.has_value() && r.proof->ok());
    ASSERT_FALSE(why.empty());
    EXPECT_EQ(why[0], "illegal verify iterations 0 and 1 both touch C[0, 0]");
    EXPECT_EQ(r.progress.failed.at("illegal"), static_cast<int>(why.size()));
    EXPECT_EQ(asked == 60, when == driver::VerifyWhen::kAlways) << asked;
  }
}

TEST(Search, FailuresAreCountedAndNeverBest) {
  HashMeasurer m;
  m.fail_every = 3;
  const SearchResult r = Search(small_task(), {.trials = 30, .seed = 1}).run(m, {});
  EXPECT_EQ(r.progress.failed.at("crash"), 10);
  EXPECT_EQ(r.progress.ok, 20);
  EXPECT_TRUE(r.best->ok());
}

TEST(Session, ResumedLogHoldsWhatAnUninterruptedOneDoes) {
  const Task task = small_task();
  const auto run = [&](const std::string& log, int trials, bool resume) {
    HashMeasurer m;
    run_session(task, {.search = {.trials = trials, .seed = 4}, .log = log, .resume = resume, .tool = "test"}, m, {});
    return m.seen.size();
  };
  const test::TemporaryFolder folder;
  const std::string whole = folder / "whole.jsonl", parts = folder / "parts.jsonl";
  EXPECT_EQ(run(whole, 40, false), 40U);
  EXPECT_EQ(run(parts, 13, false), 13U);
  EXPECT_EQ(run(parts, 29, true), 16U);  // the total is what --trials says
  EXPECT_EQ(run(parts, 40, true), 11U);
  const auto trials = [](const std::string& log) {
    std::map<std::pair<int, int>, std::string> out;
    for (const tuning_logs::Record& r : tuning_logs::read_log(log).records) {
      if (r.kind == tuning_logs::RecordKind::kTrial) out[{r.batch, r.slot}] = dump_json(write_json(r.plan)) + std::to_string(r.median_ns());
    }
    return out;
  };
  EXPECT_EQ(trials(whole), trials(parts));
}

TEST(Session, StoppingKeepsWhatWasMeasured) {
  const test::TemporaryFolder folder;
  const std::string log = folder / "stopped.jsonl";
  HashMeasurer m;
  int left = 5;
  SearchHooks hooks;
  hooks.stop = [&] { return --left <= 0; };
  const SearchResult r = run_session(small_task(), {.search = {.trials = 100, .seed = 4}, .log = log, .resume = false, .tool = "test"}, m, hooks);
  EXPECT_TRUE(r.stopped);
  int trials = 0;
  for (const tuning_logs::Record& rec : tuning_logs::read_log(log).records) trials += rec.kind == tuning_logs::RecordKind::kTrial ? 1 : 0;
  EXPECT_EQ(trials, static_cast<int>(m.seen.size()));
  EXPECT_LT(trials, 10);
}

}  // namespace
}  // namespace tessera::search
