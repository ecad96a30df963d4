#include "support/env.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <sstream>

#include "tests/support/options.h"

namespace tessera {
namespace {

class Env : public testing::Test {
 protected:
  void SetUp() override { unsetenv("TESSERA_TIME"); }
  void TearDown() override { unsetenv("TESSERA_TIME"); }
};

TEST_F(Env, UnsetAndEmptyAreTheSame) {
  EXPECT_EQ(env(EnvVar::kTime), std::nullopt);
  setenv("TESSERA_TIME", "", 1);
  EXPECT_EQ(env(EnvVar::kTime), std::nullopt);
  EXPECT_FALSE(env_flag(EnvVar::kTime));
}

TEST_F(Env, ValueIsReturned) {
  setenv("TESSERA_TIME", "some value", 1);
  EXPECT_EQ(env(EnvVar::kTime), "some value");
}

TEST_F(Env, FlagIsOnUnlessItSaysNo) {
  for (const char* yes : {"1", "on", "yes", "2"}) {
    setenv("TESSERA_TIME", yes, 1);
    EXPECT_TRUE(env_flag(EnvVar::kTime)) << yes;
  }
  for (const char* no : {"0", "off", "false", "no"}) {
    setenv("TESSERA_TIME", no, 1);
    EXPECT_FALSE(env_flag(EnvVar::kTime)) << no;
  }
}

TEST_F(Env, ListIsInTheOrderOfTheEnumeration) {
  for (std::size_t i = 0; i < env_list().size(); ++i) {
    EXPECT_EQ(static_cast<std::size_t>(env_list()[i].var), i);
  }
}

TEST_F(Env, ReferencePageShowsTheList) {
  std::ostringstream expected;
  expected << "| variable | value | effect |\n|---|---|---|\n";
  for (const EnvInfo& info : env_list()) {
    const std::string value = info.value;
    expected << "| `" << info.name << "` | " << (value == "1" ? "`1`" : value) << " | " << info.help
             << " |\n";
  }
  const std::string page = test::read_source_file("docs/reference/environment.md");
  const std::size_t table = page.find("| variable");
  ASSERT_NE(table, std::string::npos);
  EXPECT_EQ(page.substr(table), expected.str());
}

}  // namespace
}  // namespace tessera
