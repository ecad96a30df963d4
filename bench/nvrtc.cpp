// What compiling CUDA text costs: CPU seconds a kernel.
//   ninja -C build/release bench && build/release/bench/nvrtc
#include <benchmark/benchmark.h>

#include <string>

#include "bench/nvrtc_texts.h"
#include "codegen/cuda/compile.h"

namespace {

using namespace tessera::codegen;
using tessera::bench::kSimtGemm;

constexpr const char* kAxpy = R"(extern "C" __global__ void __launch_bounds__(256) k(
    float* __restrict__ o, const float* __restrict__ x, const float* __restrict__ y, float a, int n) {
  const int i = blockIdx.x * 256 + threadIdx.x;
  if (i < n) o[i] = a * x[i] + y[i];
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
