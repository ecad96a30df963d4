// What a person sees: one live line on a terminal, plain lines when piped, no colour where none is
// wanted.
#include <gtest/gtest.h>

#include "tests/support/command.h"

namespace tessera::test {
namespace {

const std::vector<std::string> kTune = {"--op",      "matmul", "--shape",  "m=32,n=32,k=32",
                                        "--threads", "1",      "--trials", "12",
                                        "--log",     "m.jsonl"};

std::size_t count(const std::string& text, const std::string& part) {
  std::size_t n = 0;
  for (std::size_t at = 0; (at = text.find(part, at)) != std::string::npos; at += part.size()) ++n;
  return n;
}

TEST(Terminal, PipedLinesArePlain) {
  const TemporaryFolder folder;
  const CommandResult r = autotune(kTune, {.folder = folder.path()});
  ASSERT_EQ(r.code, 0) << r.err;
  for (const std::string& text : {r.out, r.err}) {
    EXPECT_EQ(text.find('\033'), std::string::npos) << text;
    EXPECT_EQ(text.find('\r'), std::string::npos) << text;
    EXPECT_TRUE(text.ends_with('\n')) << text;
  }
  EXPECT_NE(r.err.find("12/12 trials"), std::string::npos) << r.err;
  EXPECT_NE(r.err.find("GFLOP/s"), std::string::npos) << r.err;
  // The summary is data: what was done, the best, where the log is.
  for (const char* part :
       {"matmul: 12 trials", " ok", "best: ", "log:  m.jsonl", "autotune replay m.jsonl"})
    EXPECT_NE(r.out.find(part), std::string::npos) << part << " in " << r.out;
}

CommandResult on_terminal(const std::map<std::string, std::string>& environment) {
  const TemporaryFolder folder;
  return autotune(kTune, {.folder = folder.path(), .environment = environment, .terminal = true});
}

TEST(Terminal, LiveLineInColour) {
  const CommandResult r = on_terminal({{"TERM", "xterm"}, {"NO_COLOR", ""}});
  ASSERT_EQ(r.code, 0) << r.err;
  EXPECT_GT(count(r.err, "\r\033[K"), 1U) << r.err;  // drawn over itself
  EXPECT_GT(count(r.err, "\033[36m"), 0U) << r.err;
  EXPECT_EQ(count(r.err, "\n"), 0U) << r.err;
  EXPECT_TRUE(r.err.ends_with("\r\033[K")) << r.err;  // the summary starts on a clean line
  EXPECT_EQ(r.out.find('\033'), std::string::npos);
}

TEST(Terminal, NoColorKeepsTheLiveLine) {
  const CommandResult r = on_terminal({{"TERM", "xterm"}, {"NO_COLOR", "1"}});
  ASSERT_EQ(r.code, 0) << r.err;
  EXPECT_GT(count(r.err, "\r\033[K"), 1U) << r.err;
  EXPECT_EQ(count(r.err, "\033"), count(r.err, "\r\033[K"))
      << r.err;  // no escape code but the erasing
}

TEST(Terminal, DumbTerminalGetsPlainLines) {
  const CommandResult r = on_terminal({{"TERM", "dumb"}});
  ASSERT_EQ(r.code, 0) << r.err;
  EXPECT_EQ(count(r.err, "\033"), 0U) << r.err;
  EXPECT_NE(r.err.find("12/12 trials"), std::string::npos) << r.err;
}

}  // namespace
}  // namespace tessera::test
