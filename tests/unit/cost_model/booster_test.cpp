#include "cost_model/booster.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstdlib>
#include <thread>

#include "cost_model/metrics.h"
#include "support/rng.h"

namespace tessera::cost_model {
namespace {

constexpr std::size_t kColumns = 5;

struct Problem {
  PackedRows rows{kColumns};
  std::vector<double> labels;
};

// Programs of one to four rows; the label is a sum over rows of a function of each: only a model that
// sums over rows can learn it.
Problem sums_over_rows(std::size_t programs) {
  Rng rng(7);
  Problem p;
  for (std::size_t i = 0; i < programs; ++i) {
    std::vector<float> rows;
    double label = 0;
    for (std::int64_t r = rng.between(1, 4); r > 0; --r) {
      for (std::size_t c = 0; c < kColumns; ++c) rows.push_back(static_cast<float>(1 + rng.uniform()));
      const float* row = rows.data() + rows.size() - kColumns;
      label += (row[0] > 1.5F ? 0.3 : 0.0) + (row[1] > 1.3F ? 0.1 : 0.0);
    }
    p.rows.add(rows);
    p.labels.push_back(label);
  }
  return p;
}

Booster trained(const Problem& p, const BoosterOptions& options = {}) {
  return Booster::train(TrainingRows::make(p.rows).or_throw(), SquaredError(p.labels, std::vector<double>(p.labels.size(), 1)), {}, options).or_throw();
}

TEST(Booster, LearnsSumsOverRows) {
  const Problem p = sums_over_rows(400);
  EXPECT_GT(r_squared(trained(p).predict(p.rows).or_throw(), p.labels), 0.95);
}

TEST(Booster, LearnsOrderWithinTasks) {
  Problem p = sums_over_rows(200);
  std::vector<double> ns;
  for (std::size_t i = 0; i < p.labels.size(); ++i) ns.push_back((i < 100 ? 1 : 1e6) * std::exp(-p.labels[i]));
  const Booster b = Booster::train(TrainingRows::make(p.rows).or_throw(), CentredLogTime(ns, {0, 100, 200}), {}, {}).or_throw();
  const std::vector<double> scores = b.predict(p.rows).or_throw();
  const std::span<const double> s(scores), t(ns);
  EXPECT_GT(pair_accuracy(s.first(100), t.first(100)), 0.93);
  EXPECT_GT(pair_accuracy(s.last(100), t.last(100)), 0.93);
}

TEST(Booster, LearnsFactorsOfParts) {
  // Times are sums of parts, those with a large column 0 three times as long; parts differ a hundredfold, so
  // that a sum over rows could not tell which row decides.
  Rng rng(8);
  PackedRows rows(kColumns);
  std::vector<double> parts, ns;
  for (int i = 0; i < 500; ++i) {
    std::vector<float> values;
    double time = 0;
    for (int r = 0; r < 3; ++r) {
      const double part = std::exp(4.6 * rng.uniform()), x = 1 + rng.uniform();
      for (std::size_t c = 0; c < kColumns; ++c) values.push_back(static_cast<float>(c == 0 ? x : 1 + rng.uniform()));
      parts.push_back(part);
      time += part * (x > 1.5 ? 3 : 1);
    }
    rows.add(values);
    ns.push_back(time);
  }
  const CentredLogTime objective(ns, {0, 500});
  const TrainingRows training = TrainingRows::make(rows).or_throw();
  const Booster b = Booster::train_parts(training, objective, parts, {}).or_throw();
  EXPECT_GT(pair_accuracy(b.predict_parts(rows, parts).or_throw(), ns), 0.97);
  const Booster sum = Booster::train(training, objective, {}, {}).or_throw();
  EXPECT_LT(pair_accuracy(sum.predict(rows).or_throw(), ns), 0.8);
  // No trees: the parts as they are.
  const std::vector<double> plain = Booster(kColumns).predict_parts(rows, parts).or_throw();
  EXPECT_NEAR(plain[0], -std::log(parts[0] + parts[1] + parts[2]), 1e-9);
  // Programs whose parts are all 0 have a score too.
  const std::vector<double> none(parts.size());
  for (const double s : b.predict_parts(rows, none).or_throw()) ASSERT_TRUE(std::isfinite(s));
}

TEST(Booster, LearnsWhatAMarginLeaves) {
  const Problem p = sums_over_rows(400);
  std::vector<double> margin, left;
  for (const double y : p.labels) {
    margin.push_back(0.7 * y);
    left.push_back(0.3 * y);
  }
  const Booster b = Booster::train(TrainingRows::make(p.rows).or_throw(), SquaredError(p.labels, std::vector<double>(400, 1)), margin, {}).or_throw();
  EXPECT_GT(r_squared(b.predict(p.rows).or_throw(), left), 0.9);
}

TEST(Booster, SameBytesTwice) {
  const Problem p = sums_over_rows(100);
  const BoosterOptions sampled{.program_sample = 0.7, .column_sample = 0.6, .seed = 9};
  const std::string once = trained(p, sampled).save().or_throw();
  (void)trained(p, {.column_sample = 0.3, .seed = 4});  // what happens between leaves no trace
  EXPECT_EQ(once, trained(p, sampled).save().or_throw());
  ::setenv("OMP_NUM_THREADS", "4", 1);
  std::string elsewhere;
  std::thread([&] { elsewhere = trained(p, sampled).save().or_throw(); }).join();
  ::unsetenv("OMP_NUM_THREADS");
  EXPECT_EQ(once, elsewhere);
  EXPECT_NE(once, trained(p, {.program_sample = 0.7, .column_sample = 0.6, .seed = 10}).save().or_throw());
}

TEST(Booster, SavedAndLoadedIsTheSame) {
  const Problem p = sums_over_rows(100);
  const Booster b = trained(p);
  const std::string bytes = b.save().or_throw();
  const Booster again = Booster::load(bytes, kColumns).or_throw();
  EXPECT_EQ(b.predict(p.rows).or_throw(), again.predict(p.rows).or_throw());
  EXPECT_EQ(bytes, again.save().or_throw());
}

TEST(Booster, ThreadsMayAskAtOnce) {
  const Problem p = sums_over_rows(300);
  const Booster b = trained(p);
  const std::vector<double> want = b.predict(p.rows).or_throw();
  std::vector<std::thread> threads;
  std::vector<int> wrong(4);
  for (int& w : wrong) {
    threads.emplace_back([&] {
      for (int i = 0; i < 50; ++i) w += b.predict(p.rows).or_throw() != want;
    });
  }
  for (std::thread& t : threads) t.join();
  EXPECT_EQ(wrong, std::vector<int>(4));
}

TEST(Booster, RefusesWhatIsNoModel) {
  const std::string bytes = trained(sums_over_rows(50)).save().or_throw();
  EXPECT_FALSE(Booster::load("", kColumns).ok());
  EXPECT_FALSE(Booster::load("no model at all", kColumns).ok());
  EXPECT_FALSE(Booster::load(bytes.substr(0, bytes.size() / 2), kColumns).ok());
  const auto other = Booster::load(bytes, kColumns + 1);
  ASSERT_FALSE(other.ok());
  EXPECT_NE(other.reason().find("5 columns"), std::string::npos) << other.reason();
}

TEST(Booster, WithoutTreesAnswersZero) {
  const Problem p = sums_over_rows(3);
  EXPECT_EQ(Booster(kColumns).predict(p.rows).or_throw(), std::vector<double>(3));
  EXPECT_FALSE(Booster(kColumns).save().ok());
}

}  // namespace
}  // namespace tessera::cost_model
