// Kernels that leave by `autotune export --to cuda`: of packs, logs and default plans, and what cannot.
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <filesystem>

#include "codegen/cuda/nvrtc.h"
#include "support/json/json.h"
#include "tests/cli/one_line.h"
#include "tests/support/command.h"
#include "tuning_logs/pack.h"

namespace tessera::test {
namespace {

class ExportCommand : public ::testing::Test {
 protected:
  void SetUp() override {
    if (!codegen::nvrtc().ok()) GTEST_SKIP() << codegen::nvrtc().reason();
  }
  CommandResult build_pack() const {
    return autotune({"--op", "matmul", "--shape", "m=40,n=36,k=24", "--target", "cuda -arch=sm_80", "--trials", "3", "--build-only", "p.pack"}, here_);
  }
  Json launch_json(const std::string& name) const { return parse_json(read_text(folder_ / "out/" + name + ".launch.json")).or_throw(); }
  const TemporaryFolder folder_;
  const CommandOptions here_{.folder = folder_.path()}, nobody_{.folder = folder_.path(), .as_nobody = true};
};

TEST_F(ExportCommand, ADefaultPlanNeedsNoMeasurement) {
  const CommandResult r = autotune({"export", "--op", "relu", "--shape", "n=1000", "--target", "cuda -arch=sm_80", "--to", "cuda", "-o", "out", "--name", "mine", "--json"}, here_);
  ASSERT_EQ(r.code, 0) << r.err;
  const Json said = parse_json(r.out).or_throw();
  EXPECT_EQ(said["name"], "mine");
  for (const Json& file : said["files"]) EXPECT_TRUE(std::filesystem::exists(folder_ / file.get<std::string>())) << file;
  EXPECT_EQ(said["files"].size(), 10U);
  EXPECT_EQ(launch_json("mine")["images"][0]["arch"], "sm_80");
  EXPECT_EQ(launch_json("mine")["tuned_on"], nullptr);
  const CommandResult c = autotune({"export", "--op", "relu", "--shape", "n=1000", "--to", "c", "-o", "c"}, here_);
  EXPECT_EQ(c.code, 0) << c.err;
}

/// The kernel is the one that the pack holds, byte for byte.
TEST_F(ExportCommand, OneKernelOfAPack) {
  ASSERT_EQ(build_pack().code, 0);
  const CommandResult r = autotune({"export", "p.pack", "--trial", "2", "--to", "cuda", "-o", "out"}, here_);
  ASSERT_EQ(r.code, 0) << r.err;
  std::int64_t damaged = 0;
  const std::vector<std::byte> packed = tuning_logs::read_pack(folder_ / "p.pack", damaged).candidates[2].image->object;
  EXPECT_EQ(read_text(folder_ / "out/matmul.sm_80.cubin"), std::string(reinterpret_cast<const char*>(packed.data()), packed.size()));
  expect_one_line(autotune({"export", "p.pack", "--to", "cuda", "-o", "none"}, here_), 2, {"p.pack", "--trial", "autotune measure"});
  expect_one_line(autotune({"export", "p.pack", "--trial", "3", "--to", "cuda", "-o", "none"}, here_), 2, {"no trial 3", "the last is 2"});
  expect_one_line(autotune({"export", "p.pack", "--trial", "2", "--to", "c", "-o", "none"}, here_), 2, {"takes kernels for CPUs", "--to cuda"});
  EXPECT_FALSE(std::filesystem::exists(folder_ / "none"));
}

TEST_F(ExportCommand, ALogWithoutSuchAKernel) {
  ASSERT_EQ(autotune({"--op", "relu", "--shape", "n=1000", "--trials", "1", "--log", "cpu.jsonl"}, here_).code, 0);
  expect_one_line(autotune({"export", "cpu.jsonl", "--to", "cuda", "-o", "out"}, here_), 1, {"cpu.jsonl", "no kernel for a CUDA device", "--trial"});
  expect_one_line(autotune({"export", "cpu.jsonl", "--trial", "0", "--to", "c", "-o", "out"}, here_), 2, {"--trial is of a pack"});
}

TEST_F(ExportCommand, WrongRequests) {
  expect_refused({
      {{"export", "--to", "cuda", "-o", "out"}, {"nothing to export", "--op"}},
      {{"export", "--op", "relu", "--to", "cuda", "-o", "out"}, {"--to cuda takes kernels for CUDA targets", "--target cuda"}},
      {{"export", "--op", "relu", "--target", "cuda -arch=sm_80", "-o", "out"}, {"--to c takes kernels for CPUs", "--to cuda"}},
      {{"export", "--op", "relu", "--target", "cuda -arch=sm_12", "--to", "cuda", "-o", "out"}, {"sm_12", "sm_90a"}},
      {{"export", "x.jsonl", "--op", "relu", "-o", "out"}, {"one of them"}},
      {{"export", "--op", "relu", "--trial", "1", "-o", "out"}, {"--trial is of a pack"}},
      {{"export", "no.jsonl", "--to", "cuda", "-o", "out"}, {"no.jsonl"}, 1},
  });
}

TEST_F(ExportCommand, PlacesThatCannotBeWritten) {
  const auto to = [](const std::string& folder) {
    return std::vector<std::string>{"export", "--op", "relu", "--shape", "n=64", "--target", "cuda -arch=sm_80", "--to", "cuda", "-o", folder};
  };
  write_text(folder_ / "file", "kept");
  std::filesystem::create_directory(folder_ / "locked");
  ::chmod((folder_ / "locked").c_str(), 0555);
  expect_one_line(autotune(to("file"), here_), 1, {"'file'", "not a directory"});
  expect_one_line(autotune(to("locked/out"), nobody_), 1, {"locked/out"});
  EXPECT_EQ(read_text(folder_ / "file"), "kept");
  ::chmod((folder_ / "locked").c_str(), 0755);
}

TEST(ExportWithoutNvrtc, SaysWhatGetsOne) {
  const TemporaryFolder folder;
  const CommandOptions without{.folder = folder.path(), .environment = {{"TESSERA_NVRTC", "/nowhere/libnvrtc.so"}}};
  expect_one_line(autotune({"export", "--op", "relu", "--target", "cuda -arch=sm_80", "--to", "cuda", "-o", "out"}, without), 4,
                  {"/nowhere/libnvrtc.so", codegen::kNvrtcCommand});
  EXPECT_EQ(folder.entries(), std::vector<std::string>{});
}

}  // namespace
}  // namespace tessera::test
