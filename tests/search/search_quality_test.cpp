// How many trials the search needs on measured spaces (AMD EPYC, Zen 5, 2026-11-21: `autotune record --constant none
// --threads 1 --dense --passes 2 --samples 3`, more than 2,000 points each; points far behind have fewer than six
// times). docs/results/replay.md has the medians over twenty seeds; the limits here leave room for three.
#include <gtest/gtest.h>

#include <algorithm>

#include "search/simulation.h"

namespace tessera::search {
namespace {

constexpr int kTrials = 64;

struct Space {
  const char* file;
  int with_prior, draft_only;  // trials to 97 % of the optimum, at most
};

class SearchQuality : public testing::TestWithParam<Space> {
 protected:
  static std::vector<Recording> read(const std::string& name) {
    return read_recordings(std::string(TESSERA_SOURCE_DIR) + "/tests/search/recordings/" + name + ".recording").or_throw();
  }

  /// Median over seeds of the trials to 97 % of the optimum.
  static int trials_to_97(const Recording& r, SearchOptions options) {
    const Task task = r.to_task().or_throw();
    std::vector<int> all;
    for (std::uint64_t seed = 1; seed <= 3; ++seed) {
      options.seed = seed;
      options.trials = kTrials;
      all.push_back(simulate(r, task, options).to_97);
    }
    std::sort(all.begin(), all.end());
    return all[1];
  }
};

TEST_P(SearchQuality, NearTheOptimumInAFewTrials) {
  const std::vector<Recording> recordings = read(GetParam().file);
  const Recording& r = recordings.front();
  EXPECT_GE(r.points(), 2000U);
  SearchOptions with_prior;
  with_prior.prior = std::make_shared<cost_model::Prior>(cost_model::shipped_prior().or_throw());
  EXPECT_LE(trials_to_97(r, with_prior), GetParam().with_prior);
  EXPECT_LE(trials_to_97(r, {}), GetParam().draft_only);
}

// A row of sums is all noise within a few per cent, so that no search is told from another there.
INSTANTIATE_TEST_SUITE_P(Spaces, SearchQuality,
                         testing::Values(Space{"gemm", 16, 45}, Space{"convolution", 16, 40}, Space{"fused", 16, kTrials + 1},
                                         Space{"depthwise", 40, kTrials + 1}, Space{"softmax", 45, 30}),
                         [](const testing::TestParamInfo<Space>& info) { return std::string(info.param.file); });

TEST_F(SearchQuality, TheProductIsNoEasySpace) {
  const std::vector<Recording> recordings = read("gemm");
  EXPECT_GT(trials_to_97(recordings.front(), {.use_draft = false, .use_model = false, .use_evolution = false}), 16);
}

}  // namespace
}  // namespace tessera::search
