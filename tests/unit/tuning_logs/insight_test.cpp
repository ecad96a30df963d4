// What is said about a log, on logs whose answer is known.
#include "tuning_logs/insight.h"

#include <gtest/gtest.h>

#include <cmath>

#include "support/rng.h"
#include "tests/unit/tuning_logs/sample.h"

namespace tessera::tuning_logs {
namespace {

using testing::failure;
using testing::trial;

TEST(Failures, NumbersAndAddressesDoNotMakeACause) {
  EXPECT_EQ(cause_of("C[3, 4] is 12, expected 13"), "C[#, #] is #, expected #");
  EXPECT_EQ(cause_of("C[31, 4] is -1.25e-07, expected 2.5e+3"), "C[#, #] is #, expected #");
  EXPECT_EQ(cause_of("SIGSEGV at 0x7ffe12AB: write, 3.5 MiB"), "SIGSEGV at #: write, # MiB");
  EXPECT_EQ(cause_of("f32 of i0.t has no avx512 form"), "f32 of i0.t has no avx512 form");
  EXPECT_EQ(cause_of("kernel-4 of x-1"), "kernel-# of x-#");
  EXPECT_EQ(cause_of(""), "");
}

TEST(Failures, AreGroupedByStatusPhaseAndCause) {
  std::vector<Record> records;
  for (int i = 0; i < 4; ++i) records.push_back(failure(i));
  records[0].message = "C[0, 0] is 1, expected 2";
  records[0].phase = "verify_bounded";  // the same words at another place
  for (int i = 1; i < 4; ++i) records[static_cast<std::size_t>(i)].message = "C[" + std::to_string(i) + ", 7] is nan, expected 5";
  records.push_back(trial(4));
  std::vector<const Record*> pointers;
  for (const Record& r : records) pointers.push_back(&r);
  const std::vector<FailureGroup> groups = group_failures(pointers);
  ASSERT_EQ(groups.size(), 2U);
  EXPECT_EQ(groups[0].count, 3);  // the most frequent first
  EXPECT_EQ(groups[0].cause, "C[#, #] is nan, expected #");
  ASSERT_EQ(groups[0].examples.size(), kMaxExamples);
  EXPECT_EQ(groups[0].examples[0], &records[1]);
  EXPECT_EQ(groups[0].examples[1], &records[2]);
  EXPECT_EQ(groups[1].count, 1);
  EXPECT_EQ(groups[1].phase, "verify_bounded");
}

/// Trials whose time is a function of two holes; `noise` is relative.
class Synthetic {
 public:
  template <class Time>
  Synthetic(int n, double noise, const Time& time, const std::string& sketch = "tile", std::uint64_t seed = 1) {
    Rng rng(seed);
    for (int i = 0; i < n; ++i) {
      decisions_.push_back({{"tile", std::int64_t{1} << rng.below(4)}, {"unroll", rng.below(3)}});
      const double t = time(decisions_.back()["tile"], decisions_.back()["unroll"]) * (1 + noise * (rng.uniform() - 0.5));
      times_.push_back({sketch, static_cast<std::int64_t>(std::llround(t))});
    }
  }
  void add_to(std::vector<TimedPoint>& out) const {
    for (std::size_t i = 0; i < times_.size(); ++i) out.push_back({times_[i].first, &decisions_[i], times_[i].second});
  }
  std::vector<TimedPoint> points() const {
    std::vector<TimedPoint> out;
    add_to(out);
    return out;
  }

 private:
  std::vector<std::map<std::string, std::int64_t>> decisions_;
  std::vector<std::pair<std::string, std::int64_t>> times_;
};

TEST(HoleImportance, TheHoleThatDecidesTakesAll) {
  // Twice the time for every step away from 4; `unroll` does nothing.
  const Synthetic log(64, 0, [](std::int64_t tile, std::int64_t) { return 1e6 * std::pow(2, std::abs(std::log2(tile / 4.0))); });
  const std::vector<HoleImportance> holes = hole_importance(log.points());
  ASSERT_EQ(holes.size(), 2U);
  EXPECT_EQ(holes[0].hole, "tile");
  EXPECT_EQ(holes[0].points, 64);
  EXPECT_NEAR(holes[0].share.value(), 1, 1e-9);
  EXPECT_LE(holes[0].chance, kChance);
  ASSERT_EQ(holes[0].levels.size(), 4U);
  const double penalties[] = {3, 1, 0, 1};  // 1, 2, 4, 8
  for (std::size_t i = 0; i < 4; ++i) {
    EXPECT_EQ(holes[0].levels[i].low, 1 << i);
    EXPECT_EQ(holes[0].levels[i].high, 1 << i);
    EXPECT_NEAR(holes[0].levels[i].penalty, penalties[i], 1e-5);
  }
  EXPECT_EQ(holes[0].levels[2].best_ns, 1'000'000);
  EXPECT_LT(holes[1].share.value(), 0.1);
}

TEST(HoleImportance, TwoIndependentHolesShare) {
  // Variances of log(time): of 4 values {0,1,2,3}*a it is 1.25 a^2, of {0,1,2}*b it is b^2 2/3.
  const double a = 0.2, b = 0.2 * std::sqrt(1.25 * 1.5);  // equal
  const Synthetic log(4000, 0, [&](std::int64_t tile, std::int64_t unroll) { return 1e7 * std::exp(a * std::log2(tile) + b * static_cast<double>(unroll)); });
  for (const HoleImportance& h : hole_importance(log.points())) EXPECT_NEAR(h.share.value(), 0.5, 0.05) << h.hole;
}

TEST(HoleImportance, NoiseIsCalledChance) {
  int called_real = 0;
  constexpr int kLogs = 40;
  for (std::uint64_t seed = 1; seed <= kLogs; ++seed) {
    const Synthetic log(30, 0.5, [](std::int64_t, std::int64_t) { return 1e6; }, "tile", seed);
    for (const HoleImportance& h : hole_importance(log.points())) called_real += h.share.has_value() && h.chance <= kChance ? 1 : 0;
  }
  EXPECT_LE(called_real, 2 * kLogs / 8);  // 5 % are expected
}

TEST(HoleImportance, WeakButRealIsFoundInNoise) {
  const Synthetic log(80, 0.2, [](std::int64_t tile, std::int64_t) { return tile == 8 ? 0.8e6 : 1e6; });
  const std::vector<HoleImportance> holes = hole_importance(log.points());
  EXPECT_EQ(holes[0].hole, "tile");
  EXPECT_LE(holes[0].chance, kChance);
  EXPECT_EQ(holes[0].levels.back().penalty, 0);
}

TEST(HoleImportance, WhatSketchesDifferByIsNoHolesMerit) {
  // One sketch is ten times slower and happens to have tried only the small tiles.
  std::vector<std::map<std::string, std::int64_t>> decisions;
  for (int i = 0; i < 40; ++i) decisions.push_back({{"tile", i < 20 ? 1 + i % 2 : 4 + 4 * (i % 2)}});
  std::vector<TimedPoint> points;
  for (int i = 0; i < 40; ++i) points.push_back({i < 20 ? "slow" : "fast", &decisions[static_cast<std::size_t>(i)], (i < 20 ? 10'000'000 : 1'000'000) + (i * 7919) % 1000});
  const std::vector<HoleImportance> together = hole_importance(points);
  EXPECT_GT(together[0].chance, kChance);
  for (TimedPoint& p : points) p.sketch = "one";
  EXPECT_GT(hole_importance(points)[0].share.value(), 0.9);
}

TEST(HoleImportance, SaysWhenThereAreTooFewPoints) {
  const auto time = [](std::int64_t tile, std::int64_t) { return 1e6 * static_cast<double>(tile); };
  for (const HoleImportance& h : hole_importance(Synthetic(kFewestPoints - 1, 0, time).points())) {
    EXPECT_FALSE(h.share.has_value());
    EXPECT_TRUE(h.levels.empty());
    EXPECT_EQ(h.points, kFewestPoints - 1);
  }
  const std::map<std::string, std::int64_t> same = {{"tile", 4}};
  std::vector<TimedPoint> points;
  for (int i = 0; i < 50; ++i) points.push_back({"tile", &same, 1000 + i});
  const std::vector<HoleImportance> one_value = hole_importance(points);
  EXPECT_FALSE(one_value[0].share.has_value());
  EXPECT_EQ(one_value[0].values, 1);
  EXPECT_TRUE(hole_importance({}).empty());
}

TEST(HoleImportance, ManyValuesAreJoinedWithTheirNeighbours) {
  std::vector<std::map<std::string, std::int64_t>> decisions;
  for (int i = 0; i < 100; ++i) decisions.push_back({{"tile", i}});
  std::vector<TimedPoint> points;
  for (int i = 0; i < 100; ++i) points.push_back({"tile", &decisions[static_cast<std::size_t>(i)], 1000 + i * 10});
  const HoleImportance h = hole_importance(points)[0];
  EXPECT_EQ(h.values, 100);
  ASSERT_LE(h.levels.size(), static_cast<std::size_t>(kMostLevels));
  EXPECT_EQ(h.levels.front().low, 0);
  EXPECT_EQ(h.levels.back().high, 99);
  int points_of_levels = 0;
  for (std::size_t i = 0; i < h.levels.size(); ++i) {
    points_of_levels += h.levels[i].points;
    EXPECT_GE(h.levels[i].points, kFewestLevelPoints);
    if (i > 0) {
      EXPECT_EQ(h.levels[i].low, h.levels[i - 1].high + 1);
    }
  }
  EXPECT_EQ(points_of_levels, 100);
  EXPECT_GT(h.share.value(), 0.9);
}

TEST(HoleImportance, EqualTimesExplainNothing) {
  const Synthetic log(40, 0, [](std::int64_t, std::int64_t) { return 1e6; });
  for (const HoleImportance& h : hole_importance(log.points())) {
    EXPECT_EQ(h.share.value(), 0);
    EXPECT_EQ(h.chance, 1);
  }
}

TEST(Insights, OneEntryATaskWithItsSketchesAndSeconds) {
  const testing::TemporaryDirectory directory;
  const std::string path = directory.file("log.jsonl");
  constexpr std::int64_t kSecond = 1'000'000'000;
  {
    Record head = testing::header();
    head.time_ns = 100 * kSecond;
    LogWriter w(path, head);
    for (int i = 0; i < 12; ++i) {
      Record r = i % 4 == 3 ? failure(i) : trial(i);
      r.threads = i % 2 == 0 ? 1 : 2;  // two tasks in turns
      r.sketch = i < 6 ? "tile" : "pack";
      // A run of six seconds, then a day's pause, a header, six more seconds.
      r.time_ns = (101 + i + (i < 6 ? 0 : 86400)) * kSecond;
      if (i == 6) {
        head.time_ns = r.time_ns - kSecond;
        LogWriter again(path, head);
      }
      w.append(r);
    }
    Record last = trial(8);
    last.kind = RecordKind::kFinal;
    last.time_ns = 100'000 * kSecond;
    w.append(last);
  }
  const LogContents log = read_log(path);
  const std::vector<TaskInsight> tasks = insights(log);
  ASSERT_EQ(tasks.size(), 2U);
  const TaskInsight& one = tasks[0];
  EXPECT_EQ(one.trials.size(), 6U);
  EXPECT_EQ(one.ok, 6);
  EXPECT_TRUE(one.failures.empty());
  EXPECT_EQ(one.best->trial, 8);  // a final comes before faster trials
  ASSERT_EQ(one.sketches.size(), 2U);
  EXPECT_EQ(one.sketches[0].name, "tile");
  EXPECT_EQ(one.sketches[0].best->trial, 0);
  EXPECT_EQ(one.elapsed_seconds, (std::vector<double>{1, 2, 3, 4, 5, 6}));  // only its own, no pause
  const TaskInsight& two = tasks[1];
  EXPECT_EQ(two.trials.size(), 6U);
  EXPECT_EQ(two.ok, 3);
  ASSERT_EQ(two.failures.size(), 1U);
  EXPECT_EQ(two.failures[0].count, 3);
  EXPECT_EQ(two.best->trial, 1);
}

}  // namespace
}  // namespace tessera::tuning_logs
