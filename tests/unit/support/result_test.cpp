#include "support/result.h"

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

namespace tessera {
namespace {

Result<int> half(int n) {
  if (n % 2 != 0) return refuse("cannot halve ", n, "; even numbers work");
  return n / 2;
}

Result<int> quarter(int n) {
  TESSERA_TRY(h, half(n));
  TESSERA_TRY(q, half(h));
  return q;
}

Status all_even(const std::vector<int>& numbers) {
  for (const int n : numbers) TESSERA_TRY_DONE(half(n));
  return Done{};
}

TEST(Result, HoldsAValue) {
  const Result<int> r = half(8);
  ASSERT_TRUE(r.ok());
  EXPECT_TRUE(static_cast<bool>(r));
  EXPECT_EQ(*r, 4);
}

TEST(Result, HoldsTheReason) {
  const Result<int> r = half(7);
  ASSERT_FALSE(r.ok());
  EXPECT_EQ(r.reason(), "cannot halve 7; even numbers work");
  EXPECT_EQ(r.refusal().reason, r.reason());
}

TEST(Result, TakingTheValueOfARefusalIsOurBug) {
  const Result<int> r = half(7);
  EXPECT_THROW(static_cast<void>(*r), InternalError);
}

TEST(Result, OrThrowTurnsARefusalIntoAUserError) {
  EXPECT_EQ(half(8).or_throw(), 4);
  try {
    static_cast<void>(half(7).or_throw());
    FAIL() << "nothing was thrown";
  } catch (const UserError& e) {
    EXPECT_STREQ(e.what(), "cannot halve 7; even numbers work");
    EXPECT_EQ(e.exit_code(), 2);
  }
}

TEST(Result, TryPassesTheFirstRefusalOn) {
  EXPECT_EQ(*quarter(12), 3);
  EXPECT_EQ(quarter(6).reason(), "cannot halve 3; even numbers work");
}

TEST(Result, TryDonePassesTheRefusalOn) {
  EXPECT_TRUE(all_even({2, 4}).ok());
  EXPECT_EQ(all_even({2, 5, 7}).reason(), "cannot halve 5; even numbers work");
}

TEST(Result, CarriesTypesThatOnlyMove) {
  Result<std::unique_ptr<int>> r = std::make_unique<int>(3);
  const std::unique_ptr<int> p = std::move(r).or_throw();
  EXPECT_EQ(*p, 3);
}

TEST(Result, OfTextTellsValueFromRefusal) {
  const Result<std::string> value = std::string("fine");
  const Result<std::string> refused = refuse("no");
  EXPECT_TRUE(value.ok());
  EXPECT_FALSE(refused.ok());
}

}  // namespace
}  // namespace tessera
