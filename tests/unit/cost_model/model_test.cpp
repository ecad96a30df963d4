#include "cost_model/model.h"

#include <gtest/gtest.h>

#include "cost_model/metrics.h"
#include "support/rng.h"
#include "tests/unit/cost_model/nests.h"

namespace tessera::cost_model {
namespace {

struct Data {
  std::vector<Features> programs;
  std::vector<double> ns;
};

// -log(time) = 2 * column 0 + shift * column 1, columns in [1, 2). The draft's terms follow
// column 0 alone when `draft` is set.
Data data(std::uint64_t seed, std::size_t n, double shift, bool draft = false) {
  Rng rng(seed);
  Data d;
  for (std::size_t i = 0; i < n; ++i) {
    const double x = 1 + rng.uniform(), y = 1 + rng.uniform();
    d.programs.push_back(program({static_cast<float>(x), static_cast<float>(y)}));
    d.ns.push_back(1e6 * std::exp(-2 * x - shift * y));
    if (draft) d.programs.back().terms[kArithmetic] = 1e7 * std::exp(-2 * x);
  }
  return d;
}

std::vector<double> means(const CostModel& m, const Data& d) {
  std::vector<Score> s(d.programs.size());
  m.score(d.programs, s);
  std::vector<double> out;
  for (const Score& x : s) out.push_back(x.mean);
  return out;
}

double accuracy(const CostModel& m, const Data& d) { return pair_accuracy(means(m, d), d.ns); }

std::shared_ptr<const Prior> prior_of_column_0() {
  std::vector<TaskData> tasks;
  for (const std::uint64_t seed : {11, 12, 13}) {
    Data d = data(seed, 100, 0);
    tasks.push_back({"t", std::move(d.programs), std::move(d.ns)});
  }
  return std::make_shared<Prior>(train_prior(tasks, {}).or_throw());
}

CostModel measured(std::shared_ptr<const Prior> prior, ModelOptions options, const Data& d, std::size_t n) {
  CostModel m(std::move(prior), options);
  for (std::size_t i = 0; i < n; ++i) m.add(d.programs[i], d.ns[i]);
  m.refit();
  return m;
}

TEST(CostModel, BeforeAnyPointThePriorElseTheDraftElseNothing) {
  const Data d = data(1, 100, 0, true);
  EXPECT_GT(accuracy(CostModel(prior_of_column_0(), {}), d), 0.9);
  EXPECT_EQ(accuracy(CostModel(nullptr, {}), d), 1);
  EXPECT_EQ(accuracy(CostModel(prior_of_column_0(), {.use_prior = false}), d), 1);
  EXPECT_EQ(means(CostModel(nullptr, {.use_draft = false}), d), std::vector<double>(100));
}

TEST(CostModel, PriorAndPointsAreBetterThanEither) {
  // The new task follows the old ones in column 0; column 1 is new.
  const Data d = data(2, 48, 2), test = data(3, 200, 2);
  const ModelOptions no_draft{.use_draft = false};
  ModelOptions prior_alone = no_draft;
  prior_alone.use_model = false;
  const double both = accuracy(measured(prior_of_column_0(), no_draft, d, 48), test);
  EXPECT_GT(both, accuracy(measured(prior_of_column_0(), prior_alone, d, 48), test) + 0.02);
  EXPECT_GT(both, accuracy(measured(nullptr, no_draft, d, 48), test) + 0.02);
}

TEST(CostModel, AWrongPriorFades) {
  // The opposite of what the prior says.
  Data d = data(4, 64, 0), test = data(5, 200, 0);
  for (double& ns : d.ns) ns = 1 / ns;
  for (double& ns : test.ns) ns = 1 / ns;
  EXPECT_LT(accuracy(CostModel(prior_of_column_0(), {}), test), 0.1);
  const CostModel m = measured(prior_of_column_0(), {.use_draft = false}, d, 64);
  EXPECT_LT(m.prior_accuracy(), 0.1);
  EXPECT_GT(accuracy(m, test), 0.85);
}

TEST(CostModel, FewPointsDoNotSpoilAGoodPrior) {
  const Data test = data(6, 200, 0);
  const double before = accuracy(CostModel(prior_of_column_0(), {}), test);
  for (const std::size_t n : {1U, 2U, 4U, 8U, 16U}) {
    EXPECT_GT(accuracy(measured(prior_of_column_0(), {}, data(7, 16, 0), n), test), before - 0.05) << n;
  }
}

TEST(CostModel, TheDraftIsUsedWhileItIsRight) {
  CostModel m(nullptr, {});
  EXPECT_TRUE(m.draft_in_use());
  const Data right = data(8, 20, 0, true);
  for (std::size_t i = 0; i < 20; ++i) m.add(right.programs[i], right.ns[i]);
  EXPECT_EQ(m.draft_accuracy(), 1);
  EXPECT_TRUE(m.draft_in_use());
  EXPECT_FALSE(CostModel(nullptr, {.use_draft = false}).draft_in_use());

  // Three of four pairs right: enough for few points, not for sixteen.
  const auto with_accuracy_075 = [](std::size_t n) {
    CostModel c(nullptr, {});
    // Two groups, each in the wrong order among itself, the groups in the right one. Of n programs
    // n/2 * n/2 pairs are right and 2 * (n/2 choose 2) wrong but for ties, which halve them.
    for (std::size_t i = 0; i < n; ++i) {
      Features f = program({1});
      f.terms[kArithmetic] = i < n / 2 ? 1e7 : 1e8;
      c.add(f, (i < n / 2 ? 1e6 : 1e7) + static_cast<double>(i));
    }
    return c;
  };
  const CostModel few = with_accuracy_075(12), more = with_accuracy_075(40);
  EXPECT_NEAR(few.draft_accuracy(), 0.77, 0.01);
  EXPECT_TRUE(few.draft_in_use());
  EXPECT_NEAR(more.draft_accuracy(), 0.756, 0.01);
  EXPECT_FALSE(more.draft_in_use());
}

TEST(CostModel, ItsOwnAccuracyIsOutOfSample) {
  // Noise: in sample trees would find an order, out of sample there is none.
  Rng rng(9);
  CostModel m(nullptr, {.use_draft = false});
  for (int batch = 0; batch < 20; ++batch) {
    for (int i = 0; i < 8; ++i) m.add(program({static_cast<float>(1 + rng.uniform())}), 1000 + 1000 * rng.uniform());
    m.refit();
    if (batch == 0) {
      EXPECT_EQ(m.model_accuracy(), 0.5);  // nothing was predicted yet
    }
  }
  EXPECT_NEAR(m.model_accuracy(), 0.5, 0.08);
  EXPECT_EQ(m.measured(), 160U);

  CostModel lawful(nullptr, {.use_draft = false});
  const Data d = data(10, 160, 1);
  for (std::size_t i = 0; i < 160; ++i) {
    lawful.add(d.programs[i], d.ns[i]);
    if (i % 8 == 7) lawful.refit();
  }
  EXPECT_GT(lawful.model_accuracy(), 0.85);
}

TEST(CostModel, EqualAdditionsEqualScores) {
  const Data d = data(11, 60, 1), test = data(12, 50, 1);
  const CostModel a = measured(prior_of_column_0(), {}, d, 60), b = measured(prior_of_column_0(), {}, d, 60);
  EXPECT_EQ(means(a, test), means(b, test));
  // A score does not depend on the others that are asked with it.
  const Data one{{test.programs[7]}, {}};
  EXPECT_EQ(means(a, one)[0], means(a, test)[7]);
  EXPECT_NE(means(a, test), means(measured(prior_of_column_0(), {.seed = 2}, d, 60), test));
}

TEST(CostModel, SpreadGrowsAwayFromWhatWasMeasured) {
  Data d = data(13, 200, 1);
  const CostModel fresh(nullptr, {});
  std::vector<Score> before(d.programs.size());
  fresh.score(d.programs, before);
  EXPECT_EQ(before[0].spread, 0);
  const CostModel m = measured(nullptr, {.use_draft = false}, d, 24);
  std::vector<Score> s(d.programs.size());
  m.score(d.programs, s);
  double known = 0, unknown = 0;
  for (std::size_t i = 0; i < 200; ++i) (i < 24 ? known : unknown) += s[i].spread / (i < 24 ? 24.0 : 176.0);
  EXPECT_GT(unknown, 0);
  EXPECT_GT(unknown, 0.7 * known);
}

TEST(CostModel, ProgramsThatFailScoreLess) {
  // Column 1 above 1.5 fails, whatever its speed would be.
  Rng rng(14);
  CostModel m(nullptr, {.use_draft = false});
  for (int i = 0; i < 80; ++i) {
    const double x = 1 + rng.uniform(), y = 1 + rng.uniform();
    const Features f = program({static_cast<float>(x), static_cast<float>(y)});
    m.add(f, y > 1.5 ? std::nullopt : std::optional(1e6 * std::exp(-x)));
  }
  m.refit();
  const std::vector<Features> two{program({1.9F, 1.9F}), program({1.9F, 1.1F})};
  std::vector<Score> s(2);
  m.score(two, s);
  EXPECT_LT(s[0].mean, 0.3 * s[1].mean);
  EXPECT_LT(m.measured(), 80U);
}

TEST(CostModel, OnlyFailures) {
  CostModel m(nullptr, {});
  for (int i = 0; i < 8; ++i) m.add(program({1}), std::nullopt);
  m.refit();
  std::vector<Score> s(1);
  m.score(std::vector<Features>{program({1})}, s);
  EXPECT_TRUE(std::isfinite(s[0].mean));
  EXPECT_EQ(m.measured(), 0U);
}

TEST(Feasibility, LearnsARule) {
  Rng rng(15);
  Feasibility f(1);
  std::vector<Features> test;
  std::vector<bool> fails;
  for (int i = 0; i < 400; ++i) {
    const double x = 1 + rng.uniform(), y = 1 + rng.uniform();
    const Features p = program({static_cast<float>(x), static_cast<float>(y)});
    const bool failed = x + y > 3.2;
    if (i < 200) {
      f.add(p, failed);
    } else {
      test.push_back(p);
      fails.push_back(failed);
    }
  }
  ASSERT_TRUE(f.refit().ok());
  const std::vector<double> p = f.predict(test).or_throw();
  int right = 0;
  for (std::size_t i = 0; i < test.size(); ++i) right += (p[i] > 0.5) == fails[i];
  EXPECT_GT(right, 180);
}

TEST(Feasibility, WithoutFailuresNothingFails) {
  Feasibility f(1);
  for (int i = 0; i < 20; ++i) f.add(program({static_cast<float>(i)}), false);
  ASSERT_TRUE(f.refit().ok());
  EXPECT_EQ(f.predict(std::vector<Features>{program({3})}).or_throw(), std::vector<double>{0});
}

}  // namespace
}  // namespace tessera::cost_model
