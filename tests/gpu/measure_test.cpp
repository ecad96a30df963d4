// Kernels on a real device: the whole way from text to time, and what goes wrong only there.
#include <gtest/gtest.h>

#include "codegen/cuda/target.h"
#include "runtime/cuda/host.h"
#include "tests/cuda/sources.h"
#include "tests/support/environment.h"

namespace tessera::codegen {
namespace {

using runtime::Measurement;

class Gpu : public testing::Test {
 protected:
  void SetUp() override {
    // Asked of the driver here, not in a worker: this process never forks after it.
    const auto driver = runtime::open_cuda_driver();
    if (!driver.ok()) GTEST_SKIP() << driver.reason();
    const auto devices = runtime::cuda_devices(*driver);
    if (!devices.ok()) GTEST_SKIP() << devices.reason();
    if (!nvrtc().ok()) GTEST_SKIP() << nvrtc().reason();
    target_ = resolve_cuda_target(ir::parse_target("cuda").or_throw(), devices->front()).or_throw();
    measurer_.emplace();
    measurer_->install(runtime::testing::doubling_data<float>());
  }
  Measurement run(const CudaSource& source) {
    return measurer_->measure(build_cuda_image(*nvrtc(), cache_, target_, source).or_throw(), options_);
  }
  void expect(const CudaSource& source, const std::string& status) {
    const Measurement m = run(source);
    EXPECT_EQ(runtime::to_string(m.status), status) << m.phase << ": " << m.message;
    EXPECT_TRUE(run(test::doubling_source()).ok()) << "after it";
  }

  test::SetVariable libexec_{"TESSERA_LIBEXEC", TESSERA_BINARY_DIR "/bin"};
  ir::Target target_;
  CubinCache cache_{""};
  std::optional<runtime::CudaMeasurer> measurer_;
  runtime::CudaMeasureOptions options_;
};

TEST_F(Gpu, KernelsAreCheckedAndTimed) {
  const Measurement m = run(test::doubling_source());
  ASSERT_TRUE(m.ok()) << m.phase << ": " << m.message;
  EXPECT_EQ(m.samples_ns.size(), 5U);
  EXPECT_GT(m.median_ns(), 300);
  EXPECT_LT(m.median_ns(), 100'000);
  EXPECT_GT(m.runs_per_sample, 10);
}

TEST_F(Gpu, WrongKernels) {
  expect(test::doubling_source("if (i < n) o[i] = 3 * a[i];"), "wrong_answer");
  expect(test::doubling_source("if (i < n - 1) o[i] = 2 * a[i];"), "uninitialised");
  expect(test::doubling_source("if (i < n + 1) o[i] = i < n ? 2 * a[i] : 1;"), "out_of_bounds");
  expect(test::doubling_source("if (i < n) o[i] = 2 * a[i]; if (i == 7) a[i] = 0;"), "input_modified");
}

TEST_F(Gpu, FaultsAndHangs) {
  expect(test::doubling_source("o[i + (1LL << 40)] = a[i % n];"), "gpu_fault");
  expect(test::doubling_source("asm volatile(\"trap;\");"), "gpu_fault");
  options_.wall_ns = 5'000'000'000;
  expect(test::doubling_source("while (true) asm volatile(\"\");"), "gpu_timeout");
}

TEST_F(Gpu, ClustersAndMuchSharedMemory) {
  CudaSource source = test::doubling_source(
      "extern __shared__ float s[]; s[threadIdx.x + 20000] = i < n ? a[i] : 0; __syncthreads(); if (i < n) "
      "o[i] = 2 * s[threadIdx.x + 20000];");
  source.image.launches[0].shared_bytes = 90 << 10;
  const auto arch = ir::cuda_arch(target_.arch).or_throw();
  if (arch.cluster_blocks > 1) source.image.launches[0].cluster = {2, 1, 1};
  const Measurement m = run(source);
  EXPECT_TRUE(m.ok()) << m.phase << ": " << m.message;
}

}  // namespace
}  // namespace tessera::codegen
