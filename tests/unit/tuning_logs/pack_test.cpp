// Packs: what is written reads back, what is damaged is left out, what is no pack is refused.
#include "tuning_logs/pack.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include "tests/support/command.h"
#include "tests/unit/tuning_logs/sample.h"
#include "tuning_logs/log_file.h"

namespace tessera::tuning_logs {
namespace {

runtime::KernelImage sample_image() {
  runtime::KernelImage image;
  image.target = "cuda -arch=sm_90a";
  for (int i = 0; i < 1000; ++i) image.object.push_back(static_cast<std::byte>(i * 37));
  image.entries = {{"scale"}, {"sum"}};
  runtime::Launch first, second;
  first.entry = "scale";
  first.arguments = {{runtime::LaunchArgumentKind::kTensor, 0}, {runtime::LaunchArgumentKind::kWorkspace, 256}};
  first.grid = {12, 2, 1};
  first.block = {128, 1, 1};
  second.entry = "sum";
  second.arguments = {{runtime::LaunchArgumentKind::kWorkspace, 256}, {runtime::LaunchArgumentKind::kTensor, 1}};
  second.cluster = {2, 1, 1};
  second.grid = {2, 1, 1};
  second.shared_bytes = 4096;
  image.launches = {first, second};
  image.workspace_bytes = 8192;
  image.zero_ranges = {{0, 64}};
  image.arguments = {{"A", ir::bf16, {3, 4}, 24, 16, runtime::ArgumentRole::kInput}, {"C", ir::f32, {3}, 12, 16, runtime::ArgumentRole::kOutput}};
  image.build = {12.5, {"a warning"}, 40, 8, 512, 0xfedcba9876543210ULL};
  image.error_factor = 2;
  image.work_share = 0.5;
  return image;
}

PackHeader sample_header() {
  PackHeader h;
  h.task = make_task(testing::matmul(32), "matmul");
  h.target = "cuda -arch=sm_90a";
  h.machine.cpu = "some CPU";
  h.seed = 7;
  return h;
}

std::vector<PackedCandidate> sample_candidates() {
  PackedCandidate good;
  good.sketch = "C.tile";
  good.decisions = {{"C.threads", 128}};
  good.plan = schedule::StepList{schedule::ComputeRoot{"C"}};
  good.image = sample_image();
  PackedCandidate bad = good;
  bad.trial = 1;
  bad.image.reset();
  bad.status = runtime::MeasureStatus::kResource;
  bad.message = "resource: 300 registers";
  return {good, bad};
}

class PackFile : public ::testing::Test {
 protected:
  void write() {
    PackWriter writer(path_, sample_header());
    for (const PackedCandidate& c : sample_candidates()) writer.append(c);
  }
  std::string problem() {
    std::int64_t damaged = 0;
    try {
      read_pack(path_, damaged);
    } catch (const UserError& e) {
      EXPECT_EQ(e.exit_code(), 1);
      return e.what();
    }
    return "";
  }
  test::TemporaryFolder folder_;
  std::string path_ = folder_ / "p.pack";
};

TEST_F(PackFile, ReadsBack) {
  write();
  std::int64_t damaged = -1;
  const Pack pack = read_pack(path_, damaged);
  EXPECT_EQ(damaged, 0);
  EXPECT_EQ(pack.header, sample_header());
  EXPECT_EQ(pack.candidates, sample_candidates());
}

TEST_F(PackFile, DamagedLinesAreLeftOut) {
  write();
  std::string text = test::read_text(path_);
  text[text.find("\"object\":\"") + 20] ^= 1;
  test::write_text(path_, text);
  std::int64_t damaged = 0;
  Pack pack = read_pack(path_, damaged);
  EXPECT_EQ(damaged, 1);
  ASSERT_EQ(pack.candidates.size(), 1U);
  EXPECT_EQ(pack.candidates[0].status, runtime::MeasureStatus::kResource);
  test::write_text(path_, text.substr(0, text.size() - 30));  // torn by a kill
  pack = read_pack(path_, damaged);
  EXPECT_EQ(damaged, 2);
}

TEST_F(PackFile, OtherFilesAreRefusedAndKept) {
  for (const char* text : {"", "hello\n", "{\"crc\":\"00000000\",\"pack\":1}\n"}) {
    test::write_text(path_, text);
    EXPECT_NE(problem().find("is not a pack"), std::string::npos) << problem();
  }
  test::write_text(path_, "precious\n");
  EXPECT_THROW(write(), UserError);
  EXPECT_EQ(test::read_text(path_), "precious\n");
  EXPECT_NE(problem().find("--build-only"), std::string::npos);
  path_ = folder_ / "absent.pack";
  EXPECT_NE(problem().find("cannot open pack"), std::string::npos);
}

TEST_F(PackFile, OtherVersionsAreNamed) {
  PackHeader h = sample_header();
  h.pack = 2;
  { PackWriter writer(path_, h); }
  EXPECT_NE(problem().find("version is 2"), std::string::npos) << problem();
}

/// Pipes would wait for ever, devices have no end, and a long line without one must not fill the memory.
TEST_F(PackFile, WhatIsNoFileIsNotRead) {
  path_ = folder_.path();
  EXPECT_NE(problem().find("it is a directory"), std::string::npos) << problem();
  for (const char* device : {"/dev/zero", "/dev/null"}) {
    path_ = device;
    EXPECT_NE(problem().find("not a regular file"), std::string::npos) << problem();
    EXPECT_THROW(write(), UserError);
    EXPECT_FALSE(is_pack(path_));
  }
  path_ = folder_ / "pipe";
  ASSERT_EQ(::mkfifo(path_.c_str(), 0600), 0);
  EXPECT_NE(problem().find("not a regular file"), std::string::npos) << problem();
  EXPECT_THROW(write(), UserError);
  EXPECT_FALSE(is_pack(path_));
}

TEST_F(PackFile, ALineWithoutEndIsOneDamagedLine) {
  write();
  const std::string intact = test::read_text(path_);
  test::write_text(path_, intact + std::string(std::size_t{65} << 20, 'x') + "\n" + intact.substr(intact.find('\n') + 1));
  std::int64_t damaged = 0;
  EXPECT_EQ(read_pack(path_, damaged).candidates.size(), 4U);
  EXPECT_EQ(damaged, 1);
}

TEST_F(PackFile, IsNoPlaceForALog) {
  write();
  const std::string before = test::read_text(path_);
  EXPECT_THROW(LogWriter(path_, make_header("cuda -arch=sm_90a", {}, 1, 1)), UserError);
  EXPECT_EQ(test::read_text(path_), before);
}

TEST_F(PackFile, IsReplacedByTheNextOne) {
  write();
  { PackWriter writer(path_, sample_header()); }
  std::int64_t damaged = 0;
  EXPECT_TRUE(read_pack(path_, damaged).candidates.empty());
}

}  // namespace
}  // namespace tessera::tuning_logs
