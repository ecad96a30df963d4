// Packs from the command line: compiled where there is no device, run in the emulator.
#include <gtest/gtest.h>

#include <fstream>

#include "codegen/cuda/nvrtc.h"
#include "support/json/json.h"
#include "tests/cli/one_line.h"
#include "tests/support/command.h"
#include "tuning_logs/pack.h"

namespace tessera::test {
namespace {

class Pack : public ::testing::Test {
 protected:
  void SetUp() override {
    if (!codegen::nvrtc().ok()) GTEST_SKIP() << codegen::nvrtc().reason();
  }
  std::vector<std::string> build(const std::string& pack, const std::string& jobs = "1", const std::string& shape = "m=64,n=64,k=32") const {
    return {"--op", "matmul", "--shape", shape, "--target", "cuda -arch=sm_80", "--trials", "6", "--seed", "5", "--jobs", jobs, "--build-only", pack};
  }
  const TemporaryFolder folder_;
  const CommandOptions here_{.folder = folder_.path(), .environment = {{"TESSERA_CUDA_DRIVER", "/nowhere/libcuda.so.1"}}};
};

TEST_F(Pack, IsCompiledAndRunInTheEmulator) {
  CommandResult r = autotune(build("p.pack", "2", "m=40,n=36,k=24"), here_);
  ASSERT_EQ(r.code, 0) << r.err;
  EXPECT_NE(r.out.find("6 candidates"), std::string::npos) << r.out;
  EXPECT_NE(r.out.find("autotune measure p.pack"), std::string::npos) << r.out;
  r = autotune({"measure", "p.pack", "--emulate", "--sample", "3"}, here_);
  EXPECT_EQ(r.code, 0) << r.out << r.err;
  EXPECT_EQ(r.out, "matmul: 3 kernels emulated, 3 right, 0 wrong\n");
  expect_one_line(autotune({"measure", "p.pack"}, here_), 4, {"/nowhere/libcuda.so.1", "--emulate"});
}

TEST_F(Pack, SaysWhatBecameOfEachCandidate) {
  std::vector<std::string> words = build("p.pack");
  words.emplace_back("--json");
  const CommandResult r = autotune(words, here_);
  const Json j = parse_json(r.out).or_throw();
  std::int64_t damaged = 0;
  const tuning_logs::Pack pack = tuning_logs::read_pack(folder_ / "p.pack", damaged);
  ASSERT_EQ(pack.candidates.size(), 6U);
  std::map<std::string, int> ok;
  for (std::size_t i = 0; i < pack.candidates.size(); ++i) {
    const tuning_logs::PackedCandidate& c = pack.candidates[i];
    EXPECT_EQ(c.trial, static_cast<int>(i));
    EXPECT_EQ(c.image.has_value(), c.message.empty()) << c.message;
    ok[c.sketch] += c.image ? 1 : 0;
  }
  EXPECT_EQ(pack.candidates[0].sketch, "default");
  EXPECT_EQ(j["candidates"], 6);
  for (const auto& [sketch, n] : ok) EXPECT_EQ(j["sketches"][sketch]["ok"], n) << sketch;
}

/// The number of threads that compile changes nothing.
TEST_F(Pack, SameSeedSamePack) {
  ASSERT_EQ(autotune(build("one.pack", "1"), here_).code, 0);
  ASSERT_EQ(autotune(build("two.pack", "3"), here_).code, 0);
  std::int64_t damaged = 0;
  const tuning_logs::Pack one = tuning_logs::read_pack(folder_ / "one.pack", damaged), two = tuning_logs::read_pack(folder_ / "two.pack", damaged);
  EXPECT_EQ(one.header, two.header);
  ASSERT_EQ(one.candidates.size(), two.candidates.size());
  for (std::size_t i = 0; i < one.candidates.size(); ++i) {
    EXPECT_EQ(one.candidates[i].decisions, two.candidates[i].decisions);
    EXPECT_EQ(one.candidates[i].plan, two.candidates[i].plan);
    ASSERT_TRUE(one.candidates[i].image && two.candidates[i].image);
    EXPECT_EQ(one.candidates[i].image->object, two.candidates[i].image->object);
  }
}

TEST_F(Pack, OfAnotherVersionIsNotRun) {
  ASSERT_EQ(autotune(build("p.pack"), here_).code, 0);
  std::int64_t damaged = 0;
  const tuning_logs::Pack pack = tuning_logs::read_pack(folder_ / "p.pack", damaged);
  {
    tuning_logs::PackWriter writer(folder_ / "p.pack", pack.header);
    for (tuning_logs::PackedCandidate c : pack.candidates) {
      if (c.image) ++c.image->build.source_hash;
      writer.append(c);
    }
  }
  const CommandResult r = autotune({"measure", "p.pack", "--emulate", "--sample", "2"}, here_);
  EXPECT_EQ(r.code, 3) << r.out;
  EXPECT_NE(r.out.find("0 kernels emulated, 0 right, 0 wrong, 2 could not be emulated"), std::string::npos) << r.out;
  EXPECT_NE(r.out.find("--build-only"), std::string::npos) << r.out;
}

TEST_F(Pack, IsProved) {
  ASSERT_EQ(autotune(build("p.pack"), here_).code, 0);
  const CommandResult r = autotune({"verify", "p.pack", "--json"}, here_);
  EXPECT_EQ(r.code, 0) << r.out << r.err;
  EXPECT_EQ(parse_json(r.out).or_throw()["legal"], 6);
  expect_one_line(autotune({"verify", "p.pack", "--best"}, here_), 2, {"--best is of a log", "p.pack"});
  const CommandResult all = autotune({"measure", "p.pack", "--emulate", "--sample", "2", "--verify", "always", "--json"}, here_);
  EXPECT_EQ(all.code, 0) << all.out << all.err;
  EXPECT_EQ(parse_json(all.out).or_throw()["illegal"], 0);
}

/// What a person planned comes right behind the default plan.
TEST_F(Pack, TakesAPersonsDecisions) {
  const std::vector<std::string> program{"--op", "softmax", "--shape", "m=12,n=40", "--target", "cuda -arch=sm_80"};
  const auto with = [&](std::vector<std::string> words, const std::vector<std::string>& more) {
    words.insert(words.end(), program.begin(), program.end());
    words.insert(words.end(), more.begin(), more.end());
    return autotune(words, here_);
  };
  const CommandResult planned = with({"schedule"}, {"--print", "decisions"});
  ASSERT_EQ(planned.code, 0) << planned.err;
  write_text(folder_ / "mine.json", planned.out);
  const CommandResult r = with({}, {"--decisions", "mine.json", "--trials", "3", "--build-only", "p.pack"});
  ASSERT_EQ(r.code, 0) << r.err;
  std::int64_t damaged = 0;
  EXPECT_EQ(tuning_logs::read_pack(folder_ / "p.pack", damaged).candidates.at(1).sketch, "polyhedral.given");
}

/// Whatever goes wrong before there are candidates, the pack of yesterday is still there.
TEST_F(Pack, IsNotLostToAMistake) {
  ASSERT_EQ(autotune(build("p.pack"), here_).code, 0);
  const std::string before = read_text(folder_ / "p.pack");
  const auto again = [&](const std::vector<std::string>& more) {
    std::vector<std::string> words = build("p.pack");
    words.insert(words.end(), more.begin(), more.end());
    return autotune(words, here_);
  };
  write_text(folder_ / "text.json", "{");
  expect_one_line(again({"--log", "absent.jsonl"}), 1, {"absent.jsonl"});
  expect_one_line(again({"--decisions", "text.json"}), 2, {"text.json"});
  expect_one_line(again({"--log", "p.pack"}), 2, {"p.pack", "no trial of matmul"});
  for (const std::vector<std::string>& unused : std::vector<std::vector<std::string>>{
           {"--patience", "3"}, {"--with", "evolution"}, {"--without", "model"}, {"--prior", "x"}, {"--transfer", "x"}}) {
    expect_one_line(again(unused), 2, {unused[0], "--build-only"});
  }
  expect_one_line(autotune({"measure", "p.pack", "--log", "p.pack"}, {.folder = folder_.path()}), 4, {"--emulate"});
  EXPECT_EQ(read_text(folder_ / "p.pack"), before);
}

/// What ends one thread ends the command with its words.
TEST_F(Pack, WhatStopsTheEmulatorIsSaid) {
  ASSERT_EQ(autotune(build("p.pack"), here_).code, 0);
  CommandOptions without = here_;
  without.environment["TESSERA_LIBEXEC"] = "/nowhere";
  for (const char* jobs : {"1", "3"}) expect_one_line(autotune({"measure", "p.pack", "--emulate", "--jobs", jobs}, without), 1, {"kernel_emulator"});
}

TEST(BadPack, FilesAndMachines) {
  const TemporaryFolder folder;
  const CommandOptions here{.folder = folder.path()};
  expect_one_line(autotune({"measure", "absent.pack"}, here), 1, {"absent.pack"});
  write_text(folder / "text.pack", "hello\n");
  expect_one_line(autotune({"measure", "text.pack", "--emulate"}, here), 1, {"not a pack", "--build-only"});
  const CommandOptions without{.folder = folder.path(), .environment = {{"TESSERA_NVRTC", "/nowhere/libnvrtc.so"}}};
  expect_one_line(autotune({"--op", "matmul", "--target", "cuda", "--build-only", "p.pack"}, without), 4, {"python3 -m pip install nvidia-cuda-nvrtc"});
  EXPECT_EQ(folder.entries(), std::vector<std::string>{"text.pack"});
}

}  // namespace
}  // namespace tessera::test
