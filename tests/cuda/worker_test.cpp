// The process that holds a device: replaced when a kernel takes it along, and the suspect tried again alone.
#include <signal.h>

#include "runtime/cuda/host.h"
#include "tests/cuda/fake_device.h"
#include "tests/support/command.h"

namespace tessera::runtime {
namespace {

using namespace testing;  // NOLINT: fixtures

class CudaWorker : public ::testing::Test {
 protected:
  CudaWorker()
      : driver_("TESSERA_CUDA_DRIVER", kFakeDriver), libexec_("TESSERA_LIBEXEC", TESSERA_BINARY_DIR "/bin") {
    measurer_.emplace();
    measurer_->install(doubling_data<float>());
  }
  Measurement run(const std::string& entry) { return measurer_->measure(fake_image(entry), options_); }
  int servers() const { return measurer_->worker().servers_started(); }

  test::SetVariable driver_, libexec_;
  std::optional<CudaMeasurer> measurer_;
  CudaMeasureOptions options_ = quick_options();
};

TEST_F(CudaWorker, OneProcessServesManyCandidates) {
  for (int i = 0; i < 20; ++i) EXPECT_TRUE(run("doubles").ok());
  EXPECT_EQ(to_string(run("wrong").status), "wrong_answer");
  EXPECT_TRUE(run("doubles").ok());
  EXPECT_EQ(servers(), 1);
}

TEST_F(CudaWorker, FaultsCostTheWorkerAndNothingElse) {
  EXPECT_TRUE(run("doubles").ok());
  const Measurement m = run("faults");
  EXPECT_EQ(to_string(m.status), "gpu_fault") << m.message;
  EXPECT_EQ(m.phase, "verify_exact");
  EXPECT_EQ(servers(), 2);  // and the suspect was alone in the second
  EXPECT_TRUE(run("doubles").ok());
  EXPECT_EQ(servers(), 3);
}

TEST_F(CudaWorker, HangsEndInTime) {
  options_.wall_ns = 400'000'000;
  const std::int64_t begin = monotonic_now_ns();
  const Measurement m = run("hangs");
  EXPECT_EQ(to_string(m.status), "gpu_timeout") << m.message;
  EXPECT_EQ(m.phase, "verify_exact");
  EXPECT_LT(monotonic_now_ns() - begin, 4'000'000'000);  // twice
  options_.wall_ns = 20'000'000'000;
  EXPECT_TRUE(run("doubles").ok());
}

TEST_F(CudaWorker, CrashesAreNamed) {
  const Measurement m = run("crashes");
  EXPECT_EQ(to_string(m.status), "crash") << m.message;
  EXPECT_EQ(m.phase, "verify_exact");
  EXPECT_TRUE(run("doubles").ok());
}

TEST_F(CudaWorker, WhatPassesAloneIsFlaky) {
  const test::TemporaryFolder folder;
  const test::SetVariable fail("FAKE_CUDA_FAIL", "cuStreamSynchronize 700 3"),
      once("FAKE_CUDA_FAIL_ONCE", folder / "failed");
  const Measurement m = run("doubles");
  EXPECT_EQ(to_string(m.status), "flaky") << m.message;
  EXPECT_NE(m.message.find("(700)"), std::string::npos) << m.message;
  EXPECT_TRUE(m.samples_ns.empty());
  EXPECT_TRUE(run("doubles").ok());
}

TEST_F(CudaWorker, KilledWorkersAreReplaced) {
  EXPECT_TRUE(run("doubles").ok());
  ::kill(measurer_->worker().server_pid(), SIGKILL);
  EXPECT_TRUE(run("doubles").ok());
  EXPECT_EQ(servers(), 2);
}

TEST_F(CudaWorker, OthersKeepTheirTimesWhenOneFaults) {
  const std::vector<KernelImage> images{fake_image("doubles"), fake_image("faults"), fake_image("slow")};
  const auto out = measurer_->measure_interleaved(images, options_);
  ASSERT_EQ(out.size(), 3U);
  EXPECT_EQ(out[0].median_ns(), 1'000'000) << out[0].message;
  EXPECT_EQ(to_string(out[1].status), "gpu_fault");
  EXPECT_EQ(out[2].median_ns(), 20'000'000) << out[2].message;
  options_.wall_ns = 300'000'000;
  const auto hung =
      measurer_->measure_interleaved(std::vector{fake_image("doubles"), fake_image("hangs")}, options_);
  EXPECT_TRUE(hung[0].ok()) << hung[0].message;
  EXPECT_EQ(to_string(hung[1].status), "gpu_timeout") << hung[1].message;
}

TEST_F(CudaWorker, AnchorsShowDrift) {
  measurer_->install(CudaAnchor{fake_image("slow"), 3});
  for (int i = 0; i < 7; ++i) EXPECT_TRUE(run("doubles").ok());
  EXPECT_EQ(measurer_->anchors_ns(), (std::vector<std::int64_t>{20'000'000, 20'000'000, 20'000'000}));
}

TEST_F(CudaWorker, AbsentDeviceIsSaidInOneLine) {
  const test::SetVariable none("TESSERA_CUDA_DRIVER", "/nowhere/libcuda.so.1");
  const Measurement m = run("doubles");
  EXPECT_EQ(to_string(m.status), "unsupported_target");
  EXPECT_NE(m.message.find("no CUDA driver on this machine"), std::string::npos) << m.message;
}

}  // namespace
}  // namespace tessera::runtime
