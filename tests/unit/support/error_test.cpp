#include "support/error.h"

#include <gtest/gtest.h>

namespace tessera {
namespace {

template <class Error, class F>
Error thrown_by(F f) {
  try {
    f();
  } catch (const Error& e) {
    return e;
  }
  throw std::runtime_error("nothing was thrown");
}

TEST(Error, UserCheckCarriesTheMessageAndExitCode2) {
  const auto e = thrown_by<UserError>([] {
    TESSERA_USER_CHECK(1 > 2) << "unknown axis '"
                              << "k"
                              << "' of stage " << 3;
  });
  EXPECT_STREQ(e.what(), "unknown axis 'k' of stage 3");
  EXPECT_EQ(e.exit_code(), 2);
}

TEST(Error, EnvironmentCheckHasExitCode1) {
  const auto e =
      thrown_by<UserError>([] { TESSERA_ENVIRONMENT_CHECK(false) << "cannot read 'conv.jsonl'"; });
  EXPECT_STREQ(e.what(), "cannot read 'conv.jsonl'");
  EXPECT_EQ(e.exit_code(), 1);
}

TEST(Error, InternalCheckNamesFileLineAndCondition) {
  const int line = __LINE__ + 1;
  const auto e = thrown_by<InternalError>([] { TESSERA_CHECK(1 + 1 == 3) << "arithmetic"; });
  EXPECT_EQ(e.what(), "internal error at error_test.cpp:" + std::to_string(line) +
                          ": 1 + 1 == 3 does not hold: arithmetic");
}

TEST(Error, PassingChecksEvaluateNoMessage) {
  int evaluated = 0;
  TESSERA_USER_CHECK(true) << ++evaluated;
  TESSERA_CHECK(true) << ++evaluated;
  EXPECT_EQ(evaluated, 0);
}

TEST(Error, CheckInAnIfBindsToItsOwnElse) {
  bool other = false;
  if (true)
    TESSERA_USER_CHECK(true) << "unused";
  else
    other = true;
  EXPECT_FALSE(other);
}

TEST(Error, UnreachableIsAnInternalError) { EXPECT_THROW(TESSERA_UNREACHABLE(), InternalError); }

TEST(Error, CallSitePrintsAsFileAndLine) {
  std::ostringstream out;
  out << CallSite{"user.cpp", 12};
  EXPECT_EQ(out.str(), "user.cpp:12: ");
}

TEST(Error, CallSiteIsTheCallersLine) {
  const auto where = [](CallSite site = CallSite::here()) { return site.line; };
  EXPECT_EQ(where(), __LINE__);
}

}  // namespace
}  // namespace tessera
