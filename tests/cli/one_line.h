// What every command owes to a user who asked for what cannot be done.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>

#include "support/nearest.h"
#include "tests/support/command.h"

namespace tessera::test {

/// Exit code `code`, nothing on stdout, one clear line on stderr that holds all of `words`.
inline void expect_one_line(const CommandResult& r, int code,
                            const std::vector<std::string>& words) {
  EXPECT_EQ(r.code, code);
  EXPECT_EQ(r.out, "");
  EXPECT_EQ(std::count(r.err.begin(), r.err.end(), '\n'), 1) << r.err;
  EXPECT_TRUE(r.err.starts_with("autotune: ")) << r.err;
  EXPECT_LT(r.err.size(), 600U) << r.err;
  for (const std::string& word : words)
    EXPECT_NE(r.err.find(word), std::string::npos) << "no '" << word << "' in: " << r.err;
}

struct BadCall {
  std::vector<std::string> words;
  std::vector<std::string> said;
  int code = 2;
};

/// Runs each in a folder of its own, in which nothing may appear.
inline void expect_refused(const std::vector<BadCall>& calls, CommandOptions options = {}) {
  for (const BadCall& call : calls) {
    SCOPED_TRACE("autotune " + joined(call.words, " "));
    const TemporaryFolder folder;
    options.folder = folder.path();
    expect_one_line(autotune(call.words, options), call.code, call.said);
    EXPECT_EQ(folder.entries(), std::vector<std::string>{});
  }
}

}  // namespace tessera::test
