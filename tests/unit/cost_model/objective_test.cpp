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

TEST(Objective, CentredLogTimeGradient) {
  // Two tasks of 5 and 4 programs; errors within and beyond a factor of e.
  const CentredLogTime o({10, 20, 20, 40, 5, 1000, 3000, 2000, 500}, {0, 5, 9});
  std::vector<double> scores{-2.3, -3.1, -3.3, -0.2, -1.6, 0.4, 3.0, -0.1, 0.2}, first(9), second(9);
  o.gradient(scores, first, second);
  for (std::size_t i = 0; i < scores.size(); ++i) {
    constexpr double kStep = 1e-5;
    std::vector<double> above = scores, below = scores;
    above[i] += kStep;
    below[i] -= kStep;
    EXPECT_NEAR(first[i], (o.loss(above) - o.loss(below)) / (2 * kStep), 1e-6) << i;
    EXPECT_GE(second[i], (o.loss(above) - 2 * o.loss(scores) + o.loss(below)) / (kStep * kStep) - 1e-4) << i;
  }
}

TEST(Objective, CentredLogTimeComparesWithinTasks) {
  const CentredLogTime o({1, 2, 100, 400}, {0, 2, 4});
  const auto at = [](double shift_a, double shift_b) {
    return std::vector<double>{shift_a, shift_a - std::log(2.0), shift_b, shift_b - std::log(4.0)};
  };
  // Right ratios cost nothing, whatever the level of a task; wrong ones cost.
  EXPECT_NEAR(o.loss(at(0, 0)), 0, 1e-12);
  EXPECT_NEAR(o.loss(at(5, -7)), 0, 1e-12);
  EXPECT_GT(o.loss(std::vector<double>{0, 0, 0, -std::log(4.0)}), 0.01);
  // A mistake about a fast program costs more than one about a slow one.
  const CentredLogTime three({1, 8, 8.1}, {0, 3});
  const double l8 = -std::log(8.0), l81 = -std::log(8.1);
  EXPECT_GT(three.loss(std::vector<double>{0.5, l8, l81}), three.loss(std::vector<double>{0, l8, l81 + 0.5}));
}

}  // namespace
}  // namespace tessera::cost_model
