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
  EXPECT_EQ(draft_terms(naive_matmul(), {}), extract(naive_matmul(), {}).terms);
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
