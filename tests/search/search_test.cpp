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
