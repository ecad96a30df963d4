#include "cost_model/objective.h"

#include <gtest/gtest.h>

#include <cmath>

#include "support/rng.h"

namespace tessera::cost_model {
namespace {

// First derivatives against differences of the loss.
void expect_gradient(const Objective& o, std::size_t n) {
  Rng rng(3);
  std::vector<double> scores(n), first(n), second(n);
  for (double& s : scores) s = 4 * rng.uniform() - 2;
  o.gradient(scores, first, second);
  double largest = 0;
  for (std::size_t i = 0; i < n; ++i) {
    constexpr double kStep = 1e-5;
    const double at = scores[i];
    scores[i] = at + kStep;
    const double above = o.loss(scores);
    scores[i] = at - kStep;
    const double below = o.loss(scores);
    scores[i] = at;
    EXPECT_NEAR(first[i], (above - below) / (2 * kStep), 1e-7 + 1e-6 * std::abs(first[i])) << i;
    // The second is the loss' own or more, never less.
    const double curvature = (above - 2 * o.loss(scores) + below) / (kStep * kStep);
    EXPECT_GE(second[i], curvature - 1e-4) << i;
    EXPECT_LE(second[i], 4 * curvature + 1e-3) << i;
    largest = std::max(largest, std::abs(first[i]));
  }
  EXPECT_GT(largest, 0.01);
}

TEST(Objective, SquaredErrorGradient) { expect_gradient(SquaredError({1, 0.5, 0, 0.25}, {1, 0.5, 2, 0.1}), 4); }

TEST(Objective, LogisticGradient) { expect_gradient(Logistic({1, 0, 0, 1, 1}, {1, 1, 0.5, 2, 1}), 5); }

TEST(Objective, PairwiseGradient) {
  // Two tasks of 5 and 4 programs, one pair of equal times; all pairs, then some.
  const std::vector<double> ns{10, 20, 20, 40, 5, 1000, 3000, 2000, 500};
  expect_gradient(PairwiseLogistic(ns, {0, 5, 9}), 9);
  expect_gradient(PairwiseLogistic(ns, {0, 5, 9}, 2), 9);
}

TEST(Objective, PairwiseKnowsOnlyOrderWithinTasks) {
  const PairwiseLogistic o({1, 2, 100, 400}, {0, 2, 4});
  // Moving a whole task changes nothing; a wrong pair costs more than a right one, a wide gap more than a narrow.
  EXPECT_NEAR(o.loss(std::vector<double>{1, 0, 1, 0}), o.loss(std::vector<double>{8, 7, -3, -4}), 1e-12);
  EXPECT_GT(o.loss(std::vector<double>{0, 1, 1, 0}), o.loss(std::vector<double>{1, 0, 1, 0}));
  EXPECT_GT(o.loss(std::vector<double>{1, 0, 0, 1}), o.loss(std::vector<double>{0, 1, 1, 0}));
  // All pairs of a task at a hundredth of its scale weigh the same.
  EXPECT_NEAR(PairwiseLogistic({1, 2, 4}, {0, 3}).loss(std::vector<double>{0, 1, 3}),
              PairwiseLogistic({100, 200, 400}, {0, 3}).loss(std::vector<double>{0, 1, 3}), 1e-12);
}

}  // namespace
}  // namespace tessera::cost_model
