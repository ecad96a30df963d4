// Images and operands for the fake driver, and the driver itself opened in this process or for workers.
#pragma once

#include <dlfcn.h>
#include <gtest/gtest.h>

#include <cstring>

#include "runtime/cuda/measure_options.h"
#include "tests/cuda/fake_driver/fake_driver.h"
#include "tests/runtime/c_kernel.h"
#include "tests/support/environment.h"

namespace tessera::runtime::testing {

inline const std::string kFakeDriver = TESSERA_BINARY_DIR "/tests/libfake_cuda_driver.so";

/// O[i] = 2 A[i] over kLength floats by the kernel `entry` of fake_driver.h.
inline KernelImage fake_image(const std::string& entry) {
  KernelImage image;
  image.target = "cuda -arch=sm_90a";
  image.object.resize(64);
  std::memcpy(image.object.data(), "FAKE", 4);
  image.entries = {{entry}};
  Launch launch{entry,
                Phase::kRun,
                {{LaunchArgumentKind::kTensor, 0}, {LaunchArgumentKind::kTensor, 1}},
                0,
                {4, 1, 1},
                {256, 1, 1},
                {},
                0};
  image.launches = {launch};
  const std::int64_t bytes = kLength * 4;
  image.arguments = {{"A", ir::f32, {kLength}, bytes, 64, ArgumentRole::kInput},
                     {"O", ir::f32, {kLength}, bytes, 64, ArgumentRole::kOutput}};
  return image;
}

/// An image that uses every part of the interface: a prepare phase, a workspace that is zeroed, clusters,
/// much shared memory.
inline KernelImage full_image() {
  KernelImage image = fake_image("doubles");
  image.arguments.push_back({"P", ir::f32, {kLength}, kLength * 4, 64, ArgumentRole::kPrepared});
  Launch prepare = image.launches[0];
  prepare.phase = Phase::kPrepare;
  prepare.arguments[1].value = 2;
  image.launches.insert(image.launches.begin(), prepare);
  image.launches[1].cluster = {2, 1, 1};
  image.launches[1].shared_bytes = 100 << 10;
  image.workspace_bytes = 1024;
  image.zero_ranges = {{0, 512}};
  return image;
}

inline CudaMeasureOptions quick_options() {
  CudaMeasureOptions o;
  o.samples = 3;
  o.wall_ns = 20'000'000'000;
  return o;
}

/// The fake driver's own functions, in this process.
class FakeDriver {
 public:
  FakeDriver()
      : named_("TESSERA_CUDA_DRIVER", kFakeDriver),
        library_(::dlopen(kFakeDriver.c_str(), RTLD_NOW | RTLD_LOCAL)) {
    EXPECT_NE(library_, nullptr) << ::dlerror();
    find(fail, "fake_cuda_fail");
    find(reset, "fake_cuda_reset");
    find(alive, "fake_cuda_alive");
    find(calls, "fake_cuda_calls");
    find(call, "fake_cuda_call");
    reset();
  }
  ~FakeDriver() { reset(); }

  decltype(&fake_cuda_fail) fail;
  decltype(&fake_cuda_reset) reset;
  decltype(&fake_cuda_alive) alive;
  decltype(&fake_cuda_calls) calls;
  decltype(&fake_cuda_call) call;

 private:
  template <class F>
  void find(F& out, const char* name) {
    out = reinterpret_cast<F>(::dlsym(library_, name));
    ASSERT_NE(out, nullptr) << name;
  }
  test::SetVariable named_;
  void* library_;
};

}  // namespace tessera::runtime::testing
