#include "tests/support/golden.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <sstream>

#include "tests/support/options.h"

namespace tessera::test {

void expect_golden(const std::string& file, const std::string& text) {
  const std::filesystem::path path = std::string(TESSERA_SOURCE_DIR) + "/tests/golden/" + file;
  if (options().update_golden) {
    std::filesystem::create_directories(path.parent_path());
    std::ofstream(path) << text;
    return;
  }
  std::ifstream in(path);
  ASSERT_TRUE(in) << "no tests/golden/" << file << "; run with --update-golden to write it";
  std::ostringstream expected;
  expected << in.rdbuf();
  EXPECT_EQ(text, expected.str()) << "tests/golden/" << file << " differs; --update-golden rewrites it";
}

}  // namespace tessera::test
