// What is proposed is a function of the seed and of results two batches old: not of threads, not of the
// newest results, and the same after a kill.
#include "search/proposer.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdio>

#include "driver/compile.h"
#include "ops/catalog.h"
#include "search/session.h"

namespace tessera::search {
namespace {

Task small_task() {
  Task t;
  t.op = "matmul";
  t.dag = ops::build({.op = "matmul", .shape = {{"m", 40}, {"n", 64}, {"k", 24}}, .layout = "", .dtype = ""}).or_throw();
  t.target = driver::resolve_target("cpu -mcpu=x86-64-v3");
  return t;
}

/// The time is a hash of the steps, the same whenever they are measured; stops on request.
class HashMeasurer : public Measurer {
 public:
  int stop_after = INT32_MAX;
  int measured = 0;

  std::vector<Trial> measure(const std::vector<Candidate>& batch, std::int64_t, const std::function<void(const Trial&)>& done,
                             const std::function<bool()>& stop) override {
    std::vector<Trial> out;
    for (const Candidate& c : batch) {
      out.push_back(trial(c));
      done(out.back());
      ++measured;
      if (stop()) break;
    }
    return out;
  }
  std::vector<Trial> remeasure(const std::vector<Trial>& best) override { return best; }

  static Trial trial(const Candidate& c) {
    Trial t;
    t.candidate = c;
    t.measurement.status = runtime::MeasureStatus::kOk;
    t.measurement.samples_ns = {static_cast<std::int64_t>(1000 + hash_bytes(dump_json(write_json(c.steps))) % 5000)};
    return t;
  }
};

std::vector<std::string> proposals(SearchOptions options, int batches, std::int64_t newest_ns = 0) {
  Search search(small_task(), options);
  std::vector<std::string> out;
  for (int b = 0; b < batches; ++b) {
    std::vector<Trial> trials;
    for (const Candidate& c : search.propose(b)) {
      out.push_back(c.sketch + dump_json(write_json(c.decisions)));
      trials.push_back(HashMeasurer::trial(c));
      if (newest_ns > 0 && b == batches - 2) trials.back().measurement.samples_ns = {newest_ns};
    }
    search.complete(b, std::move(trials));
  }
  return out;
}

TEST(Proposals, DoNotDependOnThreads) {
  SearchOptions options{.trials = 64, .seed = 5};
  const auto one = proposals(options, 5);
  for (const int jobs : {2, 8}) {
    options.jobs = jobs;
    EXPECT_EQ(proposals(options, 5), one) << jobs;
  }
}

TEST(Proposals, AreABatchBehind) {
  const SearchOptions options{.trials = 64, .seed = 5};
  // The last batch does not know the one before it.
  EXPECT_EQ(proposals(options, 4), proposals(options, 4, 1));
}

TEST(Proposals, AreTheSameAfterAKill) {
  const Task task = small_task();
  const auto lines = [](const std::string& log) {
    std::vector<std::string> out;
    for (const tuning_logs::Record& r : tuning_logs::read_log(log).records) {
      if (r.kind == tuning_logs::RecordKind::kTrial) out.push_back(std::to_string(r.trial) + r.sketch + dump_json(write_json(r.decisions)));
    }
    return out;
  };
  const auto run = [&](const std::string& log, int stop_after) {
    SessionOptions options;
    options.search.trials = 44;
    options.search.seed = 2;
    options.log = log;
    options.resume = true;
    HashMeasurer m;
    SearchHooks hooks;
    hooks.stop = [&] { return m.measured >= stop_after; };
    run_session(task, options, m, hooks);
  };
  const auto temporary = [] {
    char name[] = "/tmp/tessera_proposer_XXXXXX";
    close(mkstemp(name));
    std::remove(name);
    return std::string(name);
  };
  const std::string whole = temporary();
  run(whole, INT32_MAX);
  const std::vector<std::string> expected = lines(whole);
  EXPECT_EQ(expected.size(), 44U);
  Rng rng(3);
  for (int i = 0; i < 20; ++i) {
    const std::string cut = temporary();
    run(cut, 1 + static_cast<int>(rng.below(43)));
    run(cut, INT32_MAX);
    EXPECT_EQ(lines(cut), expected) << i;
    std::remove(cut.c_str());
  }
  std::remove(whole.c_str());
}

}  // namespace
}  // namespace tessera::search
