// How many trials the search needs on a measured space (AMD EPYC, Zen 5, 2026-11-21: `autotune record --preset
// GMM.3 --constant none --threads 1 --dense --passes 2 --samples 3`, 1,920 points, six times each).
#include <gtest/gtest.h>

#include <algorithm>

#include "search/simulation.h"

namespace tessera::search {
namespace {

/// Median over seeds of the trials to 97 % of the optimum.
int trials_to_97(const Recording& r, SearchOptions options) {
  const Task task = r.to_task().or_throw();
  std::vector<int> all;
  for (std::uint64_t seed = 1; seed <= 3; ++seed) {
    options.seed = seed;
    options.trials = 40;
    all.push_back(simulate(r, task, options).to_97);
  }
  std::sort(all.begin(), all.end());
  return all[1];
}

TEST(SearchQuality, ProductIsNearItsOptimumInAFewTrials) {
  const auto recordings = read_recordings(std::string(TESSERA_SOURCE_DIR) + "/tests/search/recordings/gemm.recording");
  ASSERT_TRUE(recordings.ok()) << recordings.reason();
  const Recording& r = recordings->front();
  SearchOptions with_prior;
  with_prior.prior = std::make_shared<cost_model::Prior>(cost_model::shipped_prior().or_throw());
  EXPECT_LE(trials_to_97(r, with_prior), 16);
  EXPECT_LE(trials_to_97(r, {}), 30);  // the draft alone
  EXPECT_GT(trials_to_97(r, {.use_draft = false, .use_model = false, .use_evolution = false}), 16);  // the space is not that easy
}

}  // namespace
}  // namespace tessera::search
