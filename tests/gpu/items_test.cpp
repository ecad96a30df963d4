// The timed halves of the capabilities in tests/correctness/cuda_items_test.cpp: through a pack, on this
// machine's first device. Unmeasured where there is none.
#include <gtest/gtest.h>

#include "codegen/cuda/nvrtc.h"
#include "codegen/cuda/target.h"
#include "driver/compile.h"
#include "driver/reference.h"
#include "ir/cuda_arch.h"
#include "ops/catalog.h"
#include "runtime/cuda/device.h"
#include "runtime/cuda/driver.h"
#include "runtime/cuda/host.h"
#include "search/pack.h"
#include "support/json/json.h"
#include "tests/support/command.h"
#include "tests/support/environment.h"

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

  std::string target() const { return std::string("cuda -arch=") + arch_.name; }

  /// Seconds of the best of 64 candidates.
  double best(const std::string& op, const std::string& shape, const std::string& dtype = "f32") {
    const test::CommandOptions here{.folder = folder_.path()};
    const test::CommandResult built =
        test::autotune({"--op", op, "--shape", shape, "--dtype", dtype, "--target", target(), "--trials", "64", "--build-only", "p.pack"}, here);
    EXPECT_EQ(built.code, 0) << built.err;
    const test::CommandResult measured = test::autotune({"measure", "p.pack", "--log", op + shape + dtype + ".jsonl", "--json"}, here);
    EXPECT_EQ(measured.code, 0) << measured.err;
    return parse_json(measured.out).or_throw()["best"]["seconds"].get<double>();
  }

  search::Task product(std::int64_t n, const std::string& dtype) const {
    search::Task task;
    task.op = "matmul";
    task.dag = ops::build({"matmul", {{"m", n}, {"n", n}, {"k", n}}, "", dtype}).or_throw();
    task.target = driver::resolve_target(target());
    return task;
  }

  std::unique_ptr<runtime::CudaMeasurer> measurer_of(const search::Task& task) const {
    driver::Builder builder;
    runtime::CpuMeasurer cpu;
    auto out = std::make_unique<runtime::CudaMeasurer>();
    out->install(driver::make_reference(task.dag, driver::resolve_target("cpu"), 1, builder, cpu).data);
    return out;
  }

  test::SetVariable libexec_{"TESSERA_LIBEXEC", TESSERA_BINARY_DIR "/bin"};
  ir::CudaArch arch_{};
  test::TemporaryFolder folder_;
};

class L14 : public Timed {};
class L18 : public Timed {};
class L21 : public Timed {};
class L22 : public Timed {};
class M24 : public Timed {};

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

/// Channels and pictures that no tile divides, at the same share of the rate of those that are whole tiles.
TEST_F(L14, OddConvolutionsAreNearlyAsFastAsWholeTiles) {
  for (const auto& [odd, padded] : {std::pair{31, 32}, {127, 128}}) {
    const auto rate = [&](int n) {
      const std::string x = std::to_string(n);
      return 2.0 * 9 * 8 * n * n * n * n / best("conv2d", "n=8,h=" + x + ",w=" + x + ",ci=" + x + ",co=" + x + ",kh=3,kw=3,pad=1");
    };
    EXPECT_GE(rate(odd), 0.7 * rate(padded)) << odd;
  }
}

/// Candidates with more shared memory than a block has unasked are right, too.
TEST_F(L18, LargeTilesOfSharedMemoryRun) {
  const search::Task task = product(1024, "f16");
  const auto measurer = measurer_of(task);
  int large = 0;
  for (const search::Candidate& c : search::pack_candidates(task, {.count = 16, .seed = 1, .jobs = 1}, {})) {
    const auto image = driver::compile(task.dag, c.steps, task.target);
    ASSERT_TRUE(image.ok()) << image.reason();
    if (image->launches[0].shared_bytes <= ir::kSharedWithoutOptIn) continue;
    const runtime::Measurement m = measurer->measure(*image, {});
    EXPECT_TRUE(m.ok()) << m.phase << ": " << m.message;
    ++large;
  }
  EXPECT_GT(large, 0);
}

/// The ablation: groups of blocks beside blocks row by row, of a product whose operands are larger than the second cache.
TEST_F(L22, GroupsOfBlocksAreNoSlowerThanRows) {
  const search::Task task = product(8192, "f16");
  const search::Candidate c = search::pack_candidates(task, {.count = 1, .seed = 1, .jobs = 1}, {}).at(0);
  schedule::StepList rows = c.steps;
  int changed = 0;
  for (schedule::Step& step : rows) {
    auto* split = std::get_if<schedule::Split>(&step);
    if (split == nullptr || split->into.size() < 2 || split->into[1] != split->axis + ".g") continue;
    split->factors[0] = 1;
    ++changed;
  }
  ASSERT_EQ(changed, 1);
  const std::vector<runtime::KernelImage> images{driver::compile(task.dag, c.steps, task.target).or_throw(), driver::compile(task.dag, rows, task.target).or_throw()};
  const auto measurer = measurer_of(task);
  for (const runtime::KernelImage& image : images) ASSERT_TRUE(measurer->measure(image, {}).ok());
  const std::vector<runtime::Measurement> times = measurer->measure_interleaved(images, {});
  EXPECT_LE(times[0].median_ns(), 1.03 * times[1].median_ns());
}

/// Tensor cores multiply halves at four or more times the rate of f32 without them.
TEST_F(M24, TensorCoresAreFasterThanNone) {
  const std::string shape = "m=2048,n=2048,k=2048";
  EXPECT_GE(best("matmul", shape), 4 * best("matmul", shape, "f16"));
}

/// One number of 4096 x 4096 at 0.85 or more of the bandwidth of memory.
TEST_F(L21, WholeReductionsReadAtTheSpeedOfMemory) {
  const double seconds = best("norm", "m=4096,n=4096");
  EXPECT_GE(4096.0 * 4096 * 4 / seconds, 0.85 * arch_.memory_gb_s * 1e9);
}

}  // namespace
}  // namespace tessera
