// What compiling CUDA text costs: CPU seconds a kernel.
//   ninja -C build/release bench && build/release/bench/nvrtc
#include <benchmark/benchmark.h>

#include <string>

#include "codegen/cuda/compile.h"

namespace {

using namespace tessera::codegen;

constexpr const char* kAxpy = R"(extern "C" __global__ void __launch_bounds__(256) k(
    float* __restrict__ o, const float* __restrict__ x, const float* __restrict__ y, float a, int n) {
  const int i = blockIdx.x * 256 + threadIdx.x;
  if (i < n) o[i] = a * x[i] + y[i];
})";

/// C = A B, tiles of 128 x 128 x 8, 8 x 8 a thread, 1024 cubed.
constexpr const char* kSimtGemm = R"(extern "C" __global__ void __launch_bounds__(256) k(
    float* __restrict__ c, const float* __restrict__ a, const float* __restrict__ b) {
  __shared__ __align__(16) float as[8][132];
  __shared__ __align__(16) float bs[8][128];
  const int t = threadIdx.x, tx = t % 16, ty = t / 16;
  float r[8][8];
#pragma unroll
  for (int i = 0; i < 8; ++i)
#pragma unroll
    for (int j = 0; j < 8; ++j) r[i][j] = 0;
#pragma unroll 1
  for (int k0 = 0; k0 < 1024; k0 += 8) {
    const float4 va = *(const float4*)(a + (blockIdx.y * 128 + t / 2) * 1024 + k0 + t % 2 * 4);
    const float4 vb = *(const float4*)(b + (k0 + t / 32) * 1024 + blockIdx.x * 128 + t % 32 * 4);
    __syncthreads();
    as[t % 2 * 4][t / 2] = va.x;
    as[t % 2 * 4 + 1][t / 2] = va.y;
    as[t % 2 * 4 + 2][t / 2] = va.z;
    as[t % 2 * 4 + 3][t / 2] = va.w;
    *(float4*)&bs[t / 32][t % 32 * 4] = vb;
    __syncthreads();
#pragma unroll
    for (int k = 0; k < 8; ++k) {
      float x[8], y[8];
#pragma unroll
      for (int i = 0; i < 8; i += 4) {
        *(float4*)(x + i) = *(const float4*)&as[k][ty * 8 + i];
        *(float4*)(y + i) = *(const float4*)&bs[k][tx * 8 + i];
      }
#pragma unroll
      for (int i = 0; i < 8; ++i)
#pragma unroll
        for (int j = 0; j < 8; ++j) r[i][j] += x[i] * y[j];
    }
  }
#pragma unroll
  for (int i = 0; i < 8; ++i)
#pragma unroll
    for (int j = 0; j < 8; j += 4)
      *(float4*)(c + (blockIdx.y * 128 + ty * 8 + i) * 1024 + blockIdx.x * 128 + tx * 8 + j) = make_float4(r[i][j], r[i][j + 1], r[i][j + 2], r[i][j + 3]);
})";

/// Each time another text, as candidates are.
void compile(benchmark::State& state, const char* text, const char* arch) {
  const auto& found = nvrtc();
  if (!found.ok()) return state.SkipWithError(found.reason().c_str());
  int n = 0;
  for (auto _ : state) {
    const auto cubin = compile_cuda(*found, std::string(text) + "//" + std::to_string(++n), "k", arch);
    if (!cubin.ok()) return state.SkipWithError(cubin.reason().c_str());
  }
  state.SetLabel("NVRTC " + found->version());
}

}  // namespace

BENCHMARK_CAPTURE(compile, axpy_sm_80, kAxpy, "sm_80")->Unit(benchmark::kMillisecond);
BENCHMARK_CAPTURE(compile, axpy_sm_90a, kAxpy, "sm_90a")->Unit(benchmark::kMillisecond);
BENCHMARK_CAPTURE(compile, simt_gemm_128x128x8_sm_80, kSimtGemm, "sm_80")->Unit(benchmark::kMillisecond);
BENCHMARK_CAPTURE(compile, simt_gemm_128x128x8_sm_90a, kSimtGemm, "sm_90a")->Unit(benchmark::kMillisecond);
