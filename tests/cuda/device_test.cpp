// Measuring on a device whose driver fails at every call in every way: one status, one message, nothing
// left behind.
#include <set>

#include "codegen/cuda/target.h"
#include "ir/cuda_arch.h"
#include "runtime/cuda/device.h"
#include "runtime/cuda/measure.h"
#include "tests/cuda/fake_device.h"

namespace tessera::runtime {
namespace {

using namespace testing;  // NOLINT: fixtures

class Device : public ::testing::Test {
 protected:
  Device()
      : file_(make_data_file(doubling_data<float>())),
        mapped_(MappedDataSet::map(file_.get())),
        data_(*mapped_) {}

  /// From opening the driver to closing the device.
  Measurement measure(const KernelImage& image, const CudaMeasureOptions& options = quick_options()) {
    Measurement out;
    stages_.clear();
    const auto session = CudaDeviceSession::open(options.device, out);
    if (!session) return out;
    return session->measure(image, &data_, options, [&](std::string_view s) { stages_.emplace_back(s); });
  }
  static void expect(const Measurement& m, MeasureStatus status, const std::string& phase,
                     const std::string& part) {
    EXPECT_EQ(to_string(m.status), to_string(status)) << m.phase << ": " << m.message;
    EXPECT_EQ(m.phase, phase) << m.message;
    EXPECT_NE(m.message.find(part), std::string::npos) << m.message;
    EXPECT_TRUE(m.samples_ns.empty());
  }

  FakeDriver driver_;
  FileDescriptor file_;
  Result<MappedDataSet> mapped_;
  const MappedDataSet& data_;
  std::vector<std::string> stages_;
};

TEST_F(Device, KernelsAreCheckedAndTimed) {
  const Measurement m = measure(fake_image("doubles"));
  ASSERT_TRUE(m.ok()) << m.phase << ": " << m.message;
  EXPECT_EQ(m.samples_ns.size(), 3U);
  EXPECT_EQ(m.median_ns(), 1'000'000);
  EXPECT_EQ(m.runs_per_sample, 7);  // one on every set: seven take 2.5 times the cache
  EXPECT_EQ(stages_, (std::vector<std::string>{"allocate", "load", "verify_exact", "allocate", "load",
                                               "verify_bounded", "allocate", "timing", "timing", "timing",
                                               "timing", "verify_timed"}));
  EXPECT_EQ(driver_.alive(), 0);
}

TEST_F(Device, PrepareWorkspaceClustersAndSharedMemory) {
  const Measurement m = measure(full_image());
  ASSERT_TRUE(m.ok()) << m.phase << ": " << m.message;
  EXPECT_EQ(m.prepare_ns, 1'000'000);
  EXPECT_EQ(driver_.alive(), 0);
}

TEST_F(Device, WrongKernelsAreNamed) {
  expect(measure(fake_image("wrong")), MeasureStatus::kWrongAnswer, "verify_exact", "expected -16, got -24");
  expect(measure(fake_image("forgets")), MeasureStatus::kUninitialised, "verify_exact", "999");
  expect(measure(fake_image("writes_behind")), MeasureStatus::kOutOfBounds, "verify_exact",
         "byte 0 behind the end of 'O'");
  expect(measure(fake_image("writes_input")), MeasureStatus::kInputModified, "verify_exact", "'A'");
  expect(measure(fake_image("absent")), MeasureStatus::kInternal, "load", "cuModuleGetFunction");
  KernelImage garbage = fake_image("doubles");
  garbage.object[0] = std::byte{0};
  expect(measure(garbage), MeasureStatus::kUnsupportedTarget, "load", "cuModuleLoadData");
  KernelImage empty = fake_image("doubles");
  empty.launches[0].grid.y = 0;
  expect(measure(empty), MeasureStatus::kInternal, "verify_exact", "extent of 0");
  EXPECT_EQ(driver_.alive(), 0);
  expect(measure(fake_image("faults")), MeasureStatus::kGpuFault, "verify_exact", "(700)");
  EXPECT_EQ(driver_.alive(), 0);
}

TEST_F(Device, SlowAndImplausibleKernels) {
  CudaMeasureOptions options = quick_options();
  options.incumbent_ns = 1'000'000;
  const Measurement slow = measure(fake_image("slow"), options);
  ASSERT_TRUE(slow.ok()) << slow.message;
  EXPECT_TRUE(slow.stopped_early);
  EXPECT_EQ(slow.samples_ns.size(), 1U);
  EXPECT_EQ(slow.runs_per_sample, 1);
  options.fewest_operations = 2e9;
  options.peak_gflops = 1000;
  expect(measure(fake_image("doubles"), options), MeasureStatus::kImplausible, "timing", "1000 GFLOP/s");
  options.peak_gflops = 2000;
  EXPECT_TRUE(measure(fake_image("doubles"), options).ok());
}

TEST_F(Device, OneImageOfSeveralFails) {
  Measurement why;
  const auto session = CudaDeviceSession::open(0, why);
  ASSERT_NE(session, nullptr) << why.message;
  const auto out =
      session->measure_interleaved({fake_image("doubles"), fake_image("absent"), fake_image("slow")}, &data_,
                                   quick_options(), [](std::string_view) {});
  EXPECT_EQ(out[0].median_ns(), 1'000'000) << out[0].message;
  EXPECT_EQ(out[1].status, MeasureStatus::kInternal);
  EXPECT_EQ(out[2].median_ns(), 20'000'000);
  const auto lost =
      session->measure_interleaved({fake_image("doubles"), fake_image("faults"), fake_image("slow")}, &data_,
                                   quick_options(), [](std::string_view) {});
  EXPECT_EQ(to_string(lost[1].status), "gpu_fault");
  EXPECT_EQ(to_string(lost[0].status), "internal");
  EXPECT_EQ(to_string(lost[2].status), "internal");
}

/// Every code at every call that a whole measurement makes: at the first, a middle and the last of each kind.
TEST_F(Device, EveryErrorAtEveryCall) {
  ASSERT_TRUE(measure(full_image()).ok());
  const std::int64_t all = driver_.calls("*");
  std::map<std::string, std::vector<int>> places;
  for (std::int64_t n = 0; n < all; ++n) {
    auto& of = places[driver_.call(n)];
    of.push_back(static_cast<int>(of.size()) + 1);
  }
  EXPECT_EQ(places.size(), 34U);  // every function of the interface but the two that word errors
  const std::vector<int> codes{1,   2,   3,   4,   34,  36,  46,  100, 101, 200, 201, 209,  214,
                               218, 220, 221, 222, 226, 300, 301, 302, 303, 304, 400, 401,  500,
                               600, 700, 701, 702, 708, 709, 710, 714, 715, 716, 717, 718,  719,
                               720, 721, 800, 801, 802, 803, 804, 900, 901, 902, 903, 904,  905,
                               906, 907, 908, 909, 910, 911, 912, 913, 914, 915, 999, 12345};
  int runs = 0;
  for (const auto& [call, of] : places) {
    const bool gives_back =
        call.find("Destroy") != std::string::npos || call.find("Free") != std::string::npos ||
        call.find("Unload") != std::string::npos || call.find("Release") != std::string::npos;
    for (const int place : std::set<int>{of.front(), of[of.size() / 2], of.back()}) {
      for (const int code : codes) {
        driver_.reset();
        driver_.fail(call.c_str(), code, place);
        const Measurement m = measure(full_image());
        ++runs;
        ASSERT_EQ(driver_.alive(), 0) << call << " " << code << " at " << place;
        if (m.ok()) {
          // What is given back comes after the result; only a lost context shows later.
          ASSERT_TRUE(gives_back) << call << " " << code << " at " << place;
          continue;
        }
        ASSERT_FALSE(m.message.empty());
        ASSERT_FALSE(m.phase.empty()) << m.message;
        ASSERT_EQ(m.message.find('\n'), std::string::npos) << m.message;
        ASSERT_NE(m.message.find("(" + std::to_string(code) + ")"), std::string::npos)
            << call << ": " << m.message;
        ASSERT_TRUE(m.samples_ns.empty());
        if (m.phase != "device") {
          ASSERT_EQ(to_string(m.status), to_string(status_of_cuda(code))) << call << ": " << m.message;
        }
      }
    }
  }
  EXPECT_GT(runs, 34 * 60);
}

TEST_F(Device, StatusesOfCodes) {
  EXPECT_EQ(to_string(status_of_cuda(700)), "gpu_fault");
  EXPECT_EQ(to_string(status_of_cuda(702)), "gpu_timeout");
  EXPECT_EQ(to_string(status_of_cuda(701)), "resource");
  EXPECT_EQ(to_string(status_of_cuda(2)), "resource");
  EXPECT_EQ(to_string(status_of_cuda(209)), "unsupported_target");
  EXPECT_EQ(to_string(status_of_cuda(1)), "internal");
}

TEST_F(Device, IsDescribed) {
  const auto devices = cuda_devices(open_cuda_driver().or_throw());
  ASSERT_TRUE(devices.ok()) << devices.reason();
  ASSERT_EQ(devices->size(), 1U);
  const CudaDevice& d = devices->front();
  EXPECT_EQ(d.name, "Fake device");
  EXPECT_EQ(d.shared_per_block, 232448);
  EXPECT_EQ(codegen::resolve_cuda_target(ir::parse_target("cuda").or_throw(), d)->text(),
            "cuda -arch=sm_90a");
  EXPECT_EQ(codegen::resolve_cuda_target(ir::parse_target("cuda -arch=sm_80").or_throw(), d)->text(),
            "cuda -arch=sm_80");
  CudaDevice old = d;
  old.major = 7;
  EXPECT_FALSE(codegen::resolve_cuda_target(ir::parse_target("cuda").or_throw(), old).ok());
  EXPECT_EQ(codegen::resolve_cuda_target(ir::parse_target("cuda").or_throw(), std::nullopt)->arch,
            ir::kDefaultCudaArch);
}

TEST_F(Device, AbsentDriversAndDevices) {
  Measurement why;
  const test::SetVariable none("FAKE_CUDA_DEVICES", "0");
  EXPECT_EQ(CudaDeviceSession::open(0, why), nullptr);
  expect(why, MeasureStatus::kUnsupportedTarget, "device", "no device");
  for (const char* driver : {"/nowhere/libcuda.so.1", "libc.so.6"}) {
    const test::SetVariable named("TESSERA_CUDA_DRIVER", driver);
    EXPECT_EQ(CudaDeviceSession::open(0, why), nullptr);
    expect(why, MeasureStatus::kUnsupportedTarget, "device", "CUDA driver");
  }
}

}  // namespace
}  // namespace tessera::runtime
