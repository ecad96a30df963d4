#include "cost_model/draft.h"

#include <set>
#include <string>

#include "support/rng.h"
#include "tests/unit/cost_model/nests.h"

namespace tessera::cost_model {
namespace {

TEST(Draft, RegisterTilesWin) {
  const Machine m;
  const double naive = draft_ns(draft_terms(naive_matmul(), m), default_draft());
  const double tiled = draft_ns(draft_terms(tiled_matmul(), m), default_draft());
  EXPECT_GT(naive, 3 * tiled);
}

TEST(Draft, TermsAreThoseOfTheFeatures) {
  const Features f = extract(tiled_matmul(), {});
  EXPECT_EQ(draft_terms(tiled_matmul(), {}), f.terms);
  ASSERT_EQ(f.parts.size(), 1U);  // beyond its only statement the program has its start
  for (std::size_t t = 0; t < kDraftTerms; ++t) EXPECT_EQ(f.terms[t] - f.parts[0][t], t == kStart ? 1000 : 0) << draft_term_name(t);
  std::set<std::string> names;
  for (std::size_t t = 0; t < kDraftTerms; ++t) names.insert(draft_term_name(t));
  EXPECT_EQ(names.size(), kDraftTerms);
}

TEST(Draft, SmallerCachesMeanMoreTraffic) {
  Machine small;
  small.l1_bytes = 4 << 10;
  small.l2_bytes = 16 << 10;
  const DraftTerms a = draft_terms(naive_matmul(), {}), b = draft_terms(naive_matmul(), small);
  EXPECT_GT(b[kL2], 4 * a[kL2]);
  EXPECT_EQ(a[kL3], 0);
  EXPECT_GT(b[kL3], 0);
}

TEST(Draft, FitFindsTheCoefficients) {
  Rng rng(5);
  DraftCoefficients truth{};
  truth[kArithmetic] = 0.25;
  truth[kL3] = 0.5;
  truth[kStart] = 2;
  std::vector<DraftPoint> points;
  for (int i = 0; i < 200; ++i) {
    DraftPoint p;
    for (double& t : p.terms) t = std::exp(8 + 6 * rng.uniform());
    p.ns = draft_ns(p.terms, truth) * std::exp(0.02 * (rng.uniform() - 0.5));
    points.push_back(p);
  }
  const DraftCoefficients c = fit_draft(points, default_draft()).or_throw();
  for (std::size_t t = 0; t < kDraftTerms; ++t) {
    EXPECT_GE(c[t], 0);
    EXPECT_NEAR(c[t], truth[t], 0.02 * truth[t] + 0.005) << draft_term_name(t);
  }
  EXPECT_FALSE(fit_draft({}, default_draft()).ok());
}

TEST(Draft, FitWithinTasksIgnoresTheirScale) {
  // Each task's times are off by a factor of its own; the ratio of two terms is what all have in common.
  Rng rng(6);
  std::vector<DraftPoint> points;
  for (int task = 0; task < 12; ++task) {
    const double scale = std::exp(4 * rng.uniform() - 2);
    for (int i = 0; i < 30; ++i) {
      DraftPoint p;
      p.terms[kArithmetic] = std::exp(10 + 2 * rng.uniform());
      p.terms[kL2] = std::exp(10 + 2 * rng.uniform());
      p.ns = scale * (p.terms[kArithmetic] + 3 * p.terms[kL2]);
      p.task = task;
      points.push_back(p);
    }
  }
  const DraftCoefficients c = fit_draft(points, default_draft()).or_throw();
  EXPECT_NEAR(c[kL2] / c[kArithmetic], 3, 0.01);
  for (DraftPoint& p : points) p.task = -1;
  const DraftCoefficients as_they_are = fit_draft(points, default_draft()).or_throw();
  EXPECT_GT(std::abs(as_they_are[kL2] / as_they_are[kArithmetic] - 3), 0.1);
}

TEST(Draft, FitLeavesOutTermsThatOnlyHarm) {
  // Time falls as the term grows: the best non-negative coefficient is none.
  std::vector<DraftPoint> points;
  for (int i = 1; i <= 20; ++i) {
    DraftPoint p;
    p.terms[kArithmetic] = 1e5;
    p.terms[kStrided] = 1e4 * i;
    p.ns = 5e4 - 1e3 * i;
    points.push_back(p);
  }
  const DraftCoefficients c = fit_draft(points, default_draft()).or_throw();
  EXPECT_LT(c[kStrided], 1e-9);
  EXPECT_NEAR(c[kArithmetic], 0.39, 0.02);
}

}  // namespace
}  // namespace tessera::cost_model
