// What can be looked at: schedules in every form, the catalogue, the machine.
#include <gtest/gtest.h>

#include <regex>
#include <sstream>

#include "codegen/cuda/nvrtc.h"
#include "tests/support/command.h"

namespace tessera::test {
namespace {

void expect_parts(const CommandResult& r, const std::vector<std::string>& parts) {
  EXPECT_EQ(r.code, 0) << r.err;
  EXPECT_EQ(r.err, "");
  EXPECT_TRUE(r.out.ends_with('\n'));
  for (const std::string& part : parts)
    EXPECT_NE(r.out.find(part), std::string::npos) << part << " in " << r.out;
}

TEST(Show, EveryFormOfAnOperator) {
  const auto show = [](const std::string& form) {
    return autotune({"show", "--op", "matmul", "--shape", "m=16,n=16,k=16", "--print", form});
  };
  expect_parts(show("steps"), {"C[i<16, j<16] = sum(A[i, k] * B[k, j], k)", "vectorize(C", "for "});
  expect_parts(show("loops"), {"buffer A: f32[16, 16] input", "for ", "vector"});
  expect_parts(show("ir"), {"program tessera_matmul", "ramp("});
  expect_parts(show("llvm"), {"define ", "target triple"});
  expect_parts(show("asm"), {".text", "tessera_matmul"});
}

TEST(Show, FormsOfACudaTarget) {
  const auto show = [](const std::string& form) {
    return autotune({"show", "--op", "softmax", "--shape", "m=16,n=40", "--target", "cuda -arch=sm_80", "--print", form});
  };
  expect_parts(show("steps"), {"bind(Y, axis f.b, to block.x)", "thread.x"});
  expect_parts(show("loops"), {"block.x", "thread.x"});
  expect_parts(show("cuda"), {"__launch_bounds__(256) tessera_softmax_3(", "ts_exp(", "ts_store_global("});
  if (!codegen::nvrtc().ok()) GTEST_SKIP() << codegen::nvrtc().reason();
  expect_parts(show("ptx"), {".target sm_80", ".entry tessera_softmax_0"});
  expect_parts(autotune({"show", "--op", "relu", "--target", "cuda -arch=sm_80", "-S"}), {".target sm_80"});
}

TEST(Show, EveryFormOfALog) {
  const TemporaryFolder folder;
  const CommandOptions here{.folder = folder.path()};
  ASSERT_EQ(autotune({"--op", "dense", "--shape", "m=16,n=16,k=16", "--threads", "1", "--trials",
                      "3", "--log", "d.jsonl"},
                     here)
                .code,
            0);
  for (const char* form : {"steps", "loops", "ir", "llvm", "asm"})
    expect_parts(autotune({"show", "d.jsonl", "--print", form}, here), {});
  const CommandResult s = autotune({"show", "d.jsonl", "-S"}, here),
                      asm_text = autotune({"show", "d.jsonl", "--print", "asm"}, here);
  EXPECT_EQ(s.out, asm_text.out);
  EXPECT_NE(s.out, "");
}

TEST(Show, TargetDecidesTheInstructions) {
#if defined(__x86_64__)
  const auto text = [](const std::string& cpu) {
    return autotune({"show", "--op", "matmul", "--target", "cpu -mcpu=" + cpu, "-S"}).out;
  };
  EXPECT_EQ(text("x86-64").find("%ymm"), std::string::npos);
  EXPECT_NE(text("x86-64-v3").find("%ymm"), std::string::npos);
  EXPECT_EQ(text("x86-64-v3").find("%zmm"), std::string::npos);
  EXPECT_NE(text("x86-64-v4").find("%zmm"), std::string::npos);
#endif
}

TEST(Show, Expression) {
  expect_parts(autotune({"show", "--expr", "C[m] max= A[m,k]", "--where", "m=8,k=5"}),
               {"max(A[m, k], k)"});
}

TEST(Ops, ListsAndDescribes) {
  const CommandResult all = autotune({"ops"});
  expect_parts(all, {"matmul", "conv2d", "softmax", "dense_bias_gelu"});
  expect_parts(autotune({"ops", "conv2d"}), {"conv2d", "ci", "pad", "NHWC", "NCHW", "C2D.2"});
}

TEST(Fuzz, CountsPairs) {
  const CommandResult r = autotune({"fuzz", "--programs", "4", "--schedules", "2", "--seed", "1"});
  EXPECT_EQ(r.code, 0) << r.err;
  EXPECT_TRUE(r.out.ends_with("pairs: 8 mismatches: 0\n")) << r.out << r.err;
}

/// Every flag and command that --help shows has a place in the reference.
TEST(Help, IsCoveredByTheReference) {
  const std::string page =
      read_text(std::string(TESSERA_SOURCE_DIR) + "/docs/reference/command_line.md");
  const std::regex flag("(?:^|[ ,\n])(--?[A-Za-z][a-z-]*)"), command("\n  ([a-z]+)  ");
  for (const char* name : {"", "replay", "show", "log check", "log best", "log merge", "export", "explain", "report",
                           "doctor", "ops", "fuzz", "measure"}) {
    std::vector<std::string> words;
    std::istringstream in(name);
    for (std::string w; in >> w;) words.push_back(w);
    words.push_back("--help");
    const std::string help = autotune(words).out;
    for (auto it = std::sregex_iterator(help.begin(), help.end(), flag);
         it != std::sregex_iterator(); ++it) {
      const std::string word = (*it)[1];
      if (word == "-h" || word == "--help" || word == "--output" || word == "-mcpu") continue;
      EXPECT_NE(page.find(word), std::string::npos) << "autotune " << name << " has " << word;
    }
    const std::size_t subcommands = help.find("Subcommands:");
    if (subcommands == std::string::npos) continue;
    const std::string rest = help.substr(subcommands);
    for (auto it = std::sregex_iterator(rest.begin(), rest.end(), command);
         it != std::sregex_iterator(); ++it)
      EXPECT_NE(page.find(std::string((*it)[1])), std::string::npos)
          << "autotune " << name << " has the command " << (*it)[1];
  }
}

TEST(Doctor, SaysWhatWorks) {
  expect_parts(autotune({"doctor"}), {"cpu ", "GFLOP/s", "cuda ", "tuning   works"});
}

}  // namespace
}  // namespace tessera::test
