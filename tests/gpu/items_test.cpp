// The timed halves of the capabilities in tests/correctness/cuda_items_test.cpp: through a pack, on this
// machine's first device. Unmeasured where there is none.
#include <gtest/gtest.h>

#include "codegen/cuda/nvrtc.h"
#include "codegen/cuda/target.h"
#include "ir/cuda_arch.h"
#include "runtime/cuda/device.h"
#include "runtime/cuda/driver.h"
#include "support/json/json.h"
#include "tests/support/command.h"

namespace tessera {
namespace {

class Timed : public ::testing::Test {
 protected:
  void SetUp() override {
    const auto driver = runtime::open_cuda_driver();
    if (!driver.ok()) GTEST_SKIP() << driver.reason();
    const auto devices = runtime::cuda_devices(*driver);
    if (!devices.ok()) GTEST_SKIP() << devices.reason();
    if (!codegen::nvrtc().ok()) GTEST_SKIP() << codegen::nvrtc().reason();
    arch_ = ir::cuda_arch_of_capability(devices->front().major, devices->front().minor).or_throw();
  }

  /// Seconds of the best of 64 candidates.
  double best(const std::string& op, const std::string& shape) {
    const test::CommandOptions here{.folder = folder_.path()};
    const std::string target = std::string("cuda -arch=") + arch_.name;
    const test::CommandResult built = test::autotune({"--op", op, "--shape", shape, "--target", target, "--trials", "64", "--build-only", "p.pack"}, here);
    EXPECT_EQ(built.code, 0) << built.err;
    const test::CommandResult measured = test::autotune({"measure", "p.pack", "--log", op + shape + ".jsonl", "--json"}, here);
    EXPECT_EQ(measured.code, 0) << measured.err;
    return parse_json(measured.out).or_throw()["best"]["seconds"].get<double>();
  }

  ir::CudaArch arch_{};
  test::TemporaryFolder folder_;
};

class L14 : public Timed {};
class L21 : public Timed {};

/// Primes at 0.7 or more of the rate of the next multiple of 32.
TEST_F(L14, PrimesAreNearlyAsFastAsWholeTiles) {
  for (const auto& [prime, padded] : {std::pair{127, 128}, {509, 512}, {1009, 1024}}) {
    const auto rate = [&](int n) {
      const std::string text = std::to_string(n);
      return 2.0 * n * n * n / best("matmul", "m=" + text + ",n=" + text + ",k=" + text);
    };
    EXPECT_GE(rate(prime), 0.7 * rate(padded)) << prime;
  }
}

/// One number of 4096 x 4096 at 0.85 or more of the bandwidth of memory.
TEST_F(L21, WholeReductionsReadAtTheSpeedOfMemory) {
  const double seconds = best("norm", "m=4096,n=4096");
  EXPECT_GE(4096.0 * 4096 * 4 / seconds, 0.85 * arch_.memory_gb_s * 1e9);
}

}  // namespace
}  // namespace tessera
