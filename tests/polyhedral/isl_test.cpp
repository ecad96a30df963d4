// ISL behind its door: time limits, errors, options.
#include <gtest/gtest.h>

#include "polyhedral/detail/isl.h"

namespace tessera::polyhedral::detail {
namespace {

using namespace std::chrono_literals;

double milliseconds_since(std::chrono::steady_clock::time_point start) {
  return std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - start).count();
}

isl::union_map memory_dependences(const isl::union_map& source, const isl::union_map& sink, const isl::union_map& order) {
  return isl::union_access_info(sink).set_may_source(source).set_schedule_map(order).compute_flow().may_dependence();
}

/// Padding, convolution, bias and relu, as one problem for ISL's scheduler: with whole components it runs for
/// minutes.
isl::schedule_constraints padded_convolution(isl::ctx ctx) {
  const std::string o = "0 <= n < 4 and 0 <= f < 64 and 0 <= y < 56 and 0 <= x < 56";
  const isl::union_set domain(ctx,
      "{ P[n,c,y,x]: 0 <= n < 4 and 0 <= c < 64 and 0 <= y < 58 and 0 <= x < 58; I[n,f,y,x]: " + o +
      "; V[n,f,y,x,c,r,s]: " + o + " and 0 <= c < 64 and 0 <= r < 3 and 0 <= s < 3; B[n,f,y,x]: " + o + "; R[n,f,y,x]: " + o + " }");
  isl::union_map reads(ctx,
      "{ P[n,c,y,x] -> X[n,c,y-1,x-1]: 1 <= y <= 56 and 1 <= x <= 56; V[n,f,y,x,c,r,s] -> XP[n,c,y+r,x+s];"
      "  V[n,f,y,x,c,r,s] -> W[f,c,r,s]; V[n,f,y,x,c,r,s] -> O[n,f,y,x]; B[n,f,y,x] -> O[n,f,y,x];"
      "  B[n,f,y,x] -> b[f]; R[n,f,y,x] -> Q[n,f,y,x] }");
  isl::union_map writes(ctx,
      "{ P[n,c,y,x] -> XP[n,c,y,x]; I[n,f,y,x] -> O[n,f,y,x]; V[n,f,y,x,c,r,s] -> O[n,f,y,x];"
      "  B[n,f,y,x] -> Q[n,f,y,x]; R[n,f,y,x] -> E[n,f,y,x] }");
  const isl::union_map order(ctx,
      "{ P[n,c,y,x] -> [0,n,c,y,x,0,0,0]; I[n,f,y,x] -> [1,n,f,y,x,0,0,0]; V[n,f,y,x,c,r,s] -> [2,n,f,y,x,c,r,s];"
      "  B[n,f,y,x] -> [3,n,f,y,x,0,0,0]; R[n,f,y,x] -> [4,n,f,y,x,0,0,0] }");
  reads = reads.intersect_domain(domain);
  writes = writes.intersect_domain(domain);
  const isl::union_map updates = isl::union_map(ctx, "{ V[n,f,y,x,c,r,s] -> V[n,f,y,x,c',r',s'] }").intersect_domain(domain).intersect_range(domain);
  const isl::union_map strict = memory_dependences(writes, reads, order)
                                    .unite(memory_dependences(writes.unite(reads), writes, order)).coalesce().subtract(updates).coalesce();
  return isl::schedule_constraints::on_domain(domain).set_validity(strict).set_coincidence(strict).set_proximity(strict);
}

TEST(Isl, ASchedulingProblemOfMinutesEndsAtItsLimit) {
  IslContext isl;
  const isl::schedule_constraints problem = padded_convolution(isl);
  const ScopedOption whole(isl, isl_options_get_schedule_whole_component, isl_options_set_schedule_whole_component, 1);
  for (const auto limit : {200ms, 500ms}) {
    const auto start = std::chrono::steady_clock::now();
    const auto answer = isl.within(limit, [&] { return problem.compute_schedule().domain().is_empty(); });
    const double took = milliseconds_since(start);
    ASSERT_FALSE(answer.ok());
    EXPECT_EQ(answer.reason(), "timeout: ISL was stopped after " + std::to_string(limit.count()) + " ms");
    EXPECT_GE(took, static_cast<double>(limit.count()));
    EXPECT_LT(took, static_cast<double>(limit.count()) + 100);
  }
  // The same context then answers another question.
  const auto after = isl.within(1s, [&] { return isl::set(isl, "{ [i]: 0 <= i < 10 and i mod 3 = 1 }").is_subset(isl::set(isl, "{ [i]: 1 <= i < 8 }")); });
  ASSERT_TRUE(after.ok()) << after.reason();
  EXPECT_TRUE(*after);
}

TEST(Isl, ErrorsAreRefusalsInItsWords) {
  IslContext isl;
  const auto parsed = isl.within(1s, [&] { return isl::set(isl, "{ [i]: nonsense }").is_empty(); });
  ASSERT_FALSE(parsed.ok());
  EXPECT_EQ(parsed.reason().rfind("ISL: ", 0), 0U) << parsed.reason();
  const auto spaces = isl.within(1s, [&] { return isl::set(isl, "{ [i] }").intersect(isl::set(isl, "{ [i,j] }")).is_empty(); });
  ASSERT_FALSE(spaces.ok());
  EXPECT_NE(spaces.reason().find("spaces don't match"), std::string::npos) << spaces.reason();
  const auto again = isl.within(1s, [&] { return isl::set(isl, "{ [i]: i > 1 and i < 2 }").is_empty(); });
  ASSERT_TRUE(again.ok()) << again.reason();
  EXPECT_TRUE(*again);
}

TEST(Isl, ResultsPassThrough) {
  IslContext isl;
  const auto refused = isl.within(1s, [&]() -> Result<int> { return refuse("no"); });
  ASSERT_FALSE(refused.ok());
  EXPECT_EQ(refused.reason(), "no");
  const Status done = isl.within(1s, [&] {});
  EXPECT_TRUE(done.ok());
}

TEST(Isl, OptionsGoBack) {
  IslContext isl;
  const int before = isl_options_get_schedule_serialize_sccs(isl.get());
  {
    const ScopedOption serial(isl, isl_options_get_schedule_serialize_sccs, isl_options_set_schedule_serialize_sccs, 1);
    EXPECT_EQ(isl_options_get_schedule_serialize_sccs(isl.get()), 1);
  }
  EXPECT_EQ(isl_options_get_schedule_serialize_sccs(isl.get()), before);
}

}  // namespace
}  // namespace tessera::polyhedral::detail
