// The task scheduler on tasks whose progress is a formula.
#include "search/task_scheduler.h"

#include <gtest/gtest.h>

#include <cmath>
#include <numeric>

namespace tessera::search {
namespace {

/// best(n) = floor * (1 + excess * exp(-n / pace)) after n trials.
struct Simulated {
  double floor, excess, pace;
  double best(int trials) const { return floor * (1 + excess * std::exp(-trials / pace)); }
};

/// Small ones that settle at once, large ones that take long: as layers of a network do.
std::vector<Simulated> network() {
  return {{1e5, 1, 6}, {2e5, 1, 6}, {1e4, 3, 10}, {5e4, 0.5, 5}, {3e6, 2, 60}, {2e6, 1.5, 80}, {1e5, 2, 8}, {3e4, 1, 6}, {8e4, 1, 7}, {4e4, 2, 9}};
}

double sum(const std::vector<Simulated>& tasks, const std::vector<int>& trials) {
  double total = 0;
  for (std::size_t i = 0; i < tasks.size(); ++i) total += tasks[i].best(trials[i]);
  return total;
}

/// Trials until the sum is within 2 % of its limit.
int trials_to_two_percent(const std::vector<Simulated>& tasks, bool round_robin) {
  double limit = 0;
  std::vector<ScheduledTask> scheduled;
  for (const Simulated& t : tasks) {
    limit += t.floor;
    scheduled.push_back({.weight = 1, .roofline_ns = 0.5 * t.floor, .flops = t.floor, .family = "conv" + std::to_string(scheduled.size() % 3)});
  }
  TaskScheduler scheduler(scheduled, Objective::kTotal);
  std::vector<int> trials(tasks.size(), 0);
  for (int batch = 0; batch < 1000; ++batch) {
    const std::size_t i = round_robin ? static_cast<std::size_t>(batch) % tasks.size() : scheduler.next().value();
    trials[i] += 8;
    scheduler.report(i, tasks[i].best(trials[i]), trials[i], std::nullopt, false);
    if (sum(tasks, trials) < 1.02 * limit) break;
  }
  return std::accumulate(trials.begin(), trials.end(), 0);
}

TEST(TaskScheduler, NeedsAtMostTwoThirdsOfRoundRobinsTrials) {
  const int ours = trials_to_two_percent(network(), false), robin = trials_to_two_percent(network(), true);
  EXPECT_LE(ours * 1.5, robin) << ours << " against " << robin;
}

TEST(TaskScheduler, VisitsEveryTaskOnceFirst) {
  TaskScheduler s({{}, {}, {}}, Objective::kTotal);
  for (std::size_t i = 0; i < 3; ++i) {
    EXPECT_EQ(s.next(), i);
    s.report(i, 1000, 8, 0.0, false);
  }
}

TEST(TaskScheduler, GoesWhereTheModelExpectsMost) {
  TaskScheduler s({{}, {}}, Objective::kTotal);
  s.report(0, 1000, 8, 0.30, false);
  s.report(1, 100'000, 8, 0.01, false);
  EXPECT_EQ(s.next(), 1U);  // 1 % of 100 us is more than 30 % of 1 us
  TaskScheduler relative({{}, {}}, Objective::kGeomean);
  relative.report(0, 1000, 8, 0.30, false);
  relative.report(1, 100'000, 8, 0.01, false);
  EXPECT_EQ(relative.next(), 0U);
}

TEST(TaskScheduler, ExpectsNoMoreThanTheRooflineLeaves) {
  TaskScheduler s({{.roofline_ns = 990}, {.roofline_ns = 100}}, Objective::kTotal);
  s.report(0, 1000, 8, 0.5, false);
  s.report(1, 1000, 8, 0.1, false);
  EXPECT_EQ(s.next(), 1U);
}

TEST(TaskScheduler, TasksThatAreDoneGetNothing) {
  TaskScheduler s({{}, {}}, Objective::kTotal);
  s.report(0, 1000, 8, 0.9, true);
  s.report(1, 1000, 8, 0.0, false);
  EXPECT_EQ(s.next(), 1U);
  s.report(1, 1000, 16, 0.0, true);
  EXPECT_EQ(s.next(), std::nullopt);
}

TEST(TaskScheduler, ATaskWithoutAKernelComesFirst) {
  TaskScheduler s({{}, {}}, Objective::kTotal);
  s.report(0, 1000, 8, 0.9, false);
  s.report(1, 0, 8, std::nullopt, false);
  EXPECT_EQ(s.next(), 1U);
}

}  // namespace
}  // namespace tessera::search
