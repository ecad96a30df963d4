// The loop with a measurer that invents times: proposals, determinism, resuming, logging.
#include "search/search.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdio>
#include <set>

#include "driver/compile.h"
#include "ops/catalog.h"
#include "search/session.h"

namespace tessera::search {
namespace {

Task small_task() {
  Task t;
  t.op = "matmul";
  t.dag = ops::build({.op = "matmul", .shape = {{"m", 64}, {"n", 96}, {"k", 32}}, .layout = "", .dtype = ""}).or_throw();
  t.target = driver::resolve_target("cpu -mcpu=x86-64-v3");
  return t;
}

/// Times are a function of the plan; every `fail_every`-th candidate fails.
class FakeMeasurer : public Measurer {
 public:
  int fail_every = 0;
  int stop_after = -1;
  std::vector<std::string> seen;

  std::vector<Trial> measure(const std::vector<Candidate>& batch, std::int64_t, const std::function<void(const Trial&)>& done,
                             const std::function<bool()>& stop) override {
    std::vector<Trial> out;
    for (const Candidate& c : batch) {
      out.push_back(trial(c));
      done(out.back());
      if (stop()) break;
    }
    return out;
  }
  std::vector<Trial> remeasure(const std::vector<Trial>& best) override { return best; }

 private:
  Trial trial(const Candidate& c) {
    const std::uint64_t h = hash_bytes(dump_json(write_json(c.steps)));
    seen.push_back(std::to_string(c.batch) + "/" + std::to_string(c.slot) + " " + std::to_string(h));
    Trial t;
    t.candidate = c;
    if (fail_every > 0 && static_cast<int>(seen.size()) % fail_every == 0) {
      t.measurement = runtime::failed_measurement(runtime::MeasureStatus::kCrash, "timing", "SIGSEGV");
      return t;
    }
    t.measurement.status = runtime::MeasureStatus::kOk;
    t.measurement.samples_ns = {static_cast<std::int64_t>(1000 + h % 100000)};
    t.measurement.probe_gflops = {100};
    return t;
  }
};

std::string temporary_log() {
  char name[] = "/tmp/tessera_search_XXXXXX";
  const int fd = mkstemp(name);
  close(fd);
  std::remove(name);
  return name;
}

TEST(Search, SameSeedSameProposals) {
  std::vector<std::vector<std::string>> runs;
  for (int i = 0; i < 2; ++i) {
    FakeMeasurer m;
    Search(small_task(), {.trials = 40, .seed = 9}).run(m, {});
    runs.push_back(m.seen);
  }
  EXPECT_EQ(runs[0].size(), 40U);
  EXPECT_EQ(runs[0], runs[1]);
  FakeMeasurer other;
  Search(small_task(), {.trials = 40, .seed = 10}).run(other, {});
  EXPECT_NE(runs[0], other.seen);
}

TEST(Search, BestIsTheSmallestAndNothingIsRejected) {
  FakeMeasurer m;
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
  FakeMeasurer m;
  Search(small_task(), {.trials = 200, .seed = 3}).run(m, {});
  std::set<std::string> hashes;
  for (const std::string& s : m.seen) EXPECT_TRUE(hashes.insert(s.substr(s.find(' '))).second) << s;
}

TEST(Search, FailuresAreCountedAndNeverBest) {
  FakeMeasurer m;
  m.fail_every = 3;
  const SearchResult r = Search(small_task(), {.trials = 30, .seed = 1}).run(m, {});
  EXPECT_EQ(r.progress.failed.at("crash"), 10);
  EXPECT_EQ(r.progress.ok, 20);
  EXPECT_TRUE(r.best->ok());
}

TEST(Session, ResumedLogHoldsWhatAnUninterruptedOneDoes) {
  const Task task = small_task();
  const auto run = [&](const std::string& log, int trials, bool resume) {
    FakeMeasurer m;
    run_session(task, {.search = {.trials = trials, .seed = 4}, .log = log, .resume = resume, .tool = "test"}, m, {});
    return m.seen.size();
  };
  const std::string whole = temporary_log(), parts = temporary_log();
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
  std::remove(whole.c_str());
  std::remove(parts.c_str());
}

TEST(Session, StoppingKeepsWhatWasMeasured) {
  const std::string log = temporary_log();
  FakeMeasurer m;
  int left = 5;
  SearchHooks hooks;
  hooks.stop = [&] { return --left <= 0; };
  const SearchResult r = run_session(small_task(), {.search = {.trials = 100, .seed = 4}, .log = log, .resume = false, .tool = "test"}, m, hooks);
  EXPECT_TRUE(r.stopped);
  int trials = 0;
  for (const tuning_logs::Record& rec : tuning_logs::read_log(log).records) trials += rec.kind == tuning_logs::RecordKind::kTrial ? 1 : 0;
  EXPECT_EQ(trials, static_cast<int>(m.seen.size()));
  EXPECT_LT(trials, 10);
  std::remove(log.c_str());
}

}  // namespace
}  // namespace tessera::search
