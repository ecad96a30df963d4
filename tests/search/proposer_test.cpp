// What is proposed is a function of the seed and of results two batches old: not of threads, not of the
// newest results, and the same after a kill.
#include "search/proposer.h"

#include <gtest/gtest.h>

#include "search/session.h"
#include "tests/search/invented.h"
#include "tests/support/command.h"

namespace tessera::search {
namespace {

std::vector<std::string> proposals(SearchOptions options, int batches, std::int64_t newest_ns = 0) {
  Search search(small_task(), options);
  HashMeasurer measurer;
  std::vector<std::string> out;
  for (int b = 0; b < batches; ++b) {
    std::vector<Trial> trials;
    for (const Candidate& c : search.propose(b)) {
      out.push_back(c.sketch + dump_json(write_json(c.decisions)));
      trials.push_back(measurer.trial(c));
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
  const auto run = [&](const std::string& log, std::size_t stop_after) {
    SessionOptions options;
    options.search.trials = 44;
    options.search.seed = 2;
    options.log = log;
    options.resume = true;
    HashMeasurer m;
    SearchHooks hooks;
    hooks.stop = [&] { return m.seen.size() >= stop_after; };
    run_session(task, options, m, hooks);
  };
  const test::TemporaryFolder folder;
  const std::string whole = folder / "whole.jsonl";
  run(whole, SIZE_MAX);
  const std::vector<std::string> expected = lines(whole);
  EXPECT_EQ(expected.size(), 44U);
  Rng rng(3);
  for (int i = 0; i < 20; ++i) {
    const std::string cut = folder / (std::to_string(i) + ".jsonl");
    run(cut, 1 + static_cast<std::size_t>(rng.below(43)));
    run(cut, SIZE_MAX);
    EXPECT_EQ(lines(cut), expected) << i;
  }
}

}  // namespace
}  // namespace tessera::search
