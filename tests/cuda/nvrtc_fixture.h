// Tests that compile: left out, loudly, where there is no NVRTC.
#pragma once

#include <gtest/gtest.h>

#include <string>

#include "codegen/cuda/compile.h"

namespace tessera::codegen {

class NvrtcTest : public testing::Test {
 protected:
  void SetUp() override {
    if (!nvrtc().ok()) GTEST_SKIP() << nvrtc().reason();
  }
  static Cubin compiled(const std::string& text, const std::string& arch = "sm_90a",
                        const CudaCompileOptions& options = {}) {
    return compile_cuda(*nvrtc(), text, "test", arch, options).or_throw();
  }
};

/// O = a * X + Y, 256 threads a block.
inline constexpr const char* kAxpy = R"(extern "C" __global__ void __launch_bounds__(256) axpy(
    float* __restrict__ o, const float* __restrict__ x, const float* __restrict__ y, float a, int n) {
  const int i = blockIdx.x * 256 + threadIdx.x;
  if (i < n) o[i] = a * x[i] + y[i];
})";

/// 128 values a thread that 32 registers must hold.
inline constexpr const char* kSpilling =
    R"(extern "C" __global__ void __launch_bounds__(1024, 2) spilling(float* o, const float* i) {
  float r[128];
#pragma unroll
  for (int j = 0; j < 128; ++j) r[j] = i[j * 1024 + threadIdx.x];
  __syncthreads();
#pragma unroll
  for (int j = 0; j < 128; ++j) o[j * 1024 + threadIdx.x] = r[127 - j] * r[j];
})";

/// An array whose index is not known: local memory without a spill.
inline constexpr const char* kIndexed =
    R"(extern "C" __global__ void indexed(float* o, const float* i, int n) {
  float r[64];
#pragma unroll
  for (int j = 0; j < 64; ++j) r[j] = i[j] * i[j + 1];
  r[n & 63] = 1;
  for (int j = 0; j < n; ++j) r[(j * n) & 63] += r[j & 63];
  o[threadIdx.x] = r[(n + threadIdx.x) & 63];
})";

}  // namespace tessera::codegen
