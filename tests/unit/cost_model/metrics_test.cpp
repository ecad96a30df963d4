#include "cost_model/metrics.h"

#include <gtest/gtest.h>

#include <vector>

namespace tessera::cost_model {
namespace {

using Numbers = std::vector<double>;

TEST(Metrics, PairAccuracy) {
  EXPECT_EQ(pair_accuracy(Numbers{3, 2, 1}, Numbers{10, 20, 30}), 1);
  EXPECT_EQ(pair_accuracy(Numbers{1, 2, 3}, Numbers{10, 20, 30}), 0);
  // Of (10,20) (10,30) (20,30) the last is wrong.
  EXPECT_NEAR(pair_accuracy(Numbers{3, 1, 2}, Numbers{10, 20, 30}), 2 / 3.0, 1e-12);
  // The pair of equal times does not count; the pair of equal scores counts half.
  EXPECT_NEAR(pair_accuracy(Numbers{1, 9, 1}, Numbers{20, 20, 30}), 0.75, 1e-12);
  EXPECT_EQ(pair_accuracy(Numbers{1, 2}, Numbers{7, 7}), 0.5);
}

TEST(Metrics, RecallAndTopScore) {
  const Numbers scores{5, 4, 3, 2, 1}, ns{30, 10, 50, 20, 40};
  // The two best scored take 30 and 10; the two fastest 10 and 20.
  EXPECT_EQ(recall_at(2, scores, ns), 0.5);
  EXPECT_EQ(recall_at(9, scores, ns), 1);
  EXPECT_NEAR(top_score(1, scores, ns), 10 / 30.0, 1e-12);
  EXPECT_EQ(top_score(2, scores, ns), 1);
  EXPECT_EQ(recall_at(3, {}, {}), 1);
  EXPECT_EQ(top_score(3, {}, {}), 0);
}

TEST(Metrics, RSquared) {
  EXPECT_EQ(r_squared(Numbers{1, 2, 3}, Numbers{1, 2, 3}), 1);
  EXPECT_EQ(r_squared(Numbers{2, 2, 2}, Numbers{1, 2, 3}), 0);  // no better than the mean
  EXPECT_EQ(r_squared(Numbers{1, 2}, Numbers{4, 4}), 0);
}

}  // namespace
}  // namespace tessera::cost_model
