// How fast the emulator runs: changes of thread, checked accesses, multiply-adds.
//   ninja -C build/release bench && build/release/bench/emulator
#include <benchmark/benchmark.h>

#include "runtime/emulator/emulator.h"

namespace {

using namespace tessera::runtime::emulator;

EmulationRequest request(const char* text, int threads, int shared_bytes) {
  EmulationRequest q;
  q.text = text;
  q.entry = "kernel";
  q.grid = {4, 1, 1};
  q.block = {threads, 1, 1};
  q.shared_bytes = shared_bytes;
  q.arguments = {{ArgumentUse::kWrite, std::vector<std::byte>(4096), {}}};
  return q;
}

/// Runs it once an iteration and counts what the reports say.
void run(benchmark::State& state, EmulationRequest q, double multiply_adds) {
  q.mode = state.range(0) == 0 ? EmulationMode::kEager : EmulationMode::kLate;
  q.seed = static_cast<std::uint64_t>(state.range(0));
  double switches = 0, steps = 0, seconds = 0;
  for (auto _ : state) {
    const EmulationReport report = emulate_here(q).or_throw();
    if (!report.findings.empty()) state.SkipWithError(to_string(report.findings[0]).c_str());
    switches += static_cast<double>(report.switches);
    steps += static_cast<double>(report.steps);
    seconds += report.run_seconds;
  }
  state.counters["switches/s"] = switches / seconds;
  state.counters["steps/s"] = steps / seconds;
  if (multiply_adds > 0)
    state.counters["multiply-adds/s"] =
        multiply_adds * static_cast<double>(state.iterations()) / seconds;
  state.SetLabel(state.range(0) == 0 ? "eager, in order" : "late, shuffled");
}

void barriers(benchmark::State& state) {
  run(state,
      request(R"(extern "C" __global__ void kernel(f32* y) {
  for (i32 i = 0; i < 500; ++i) ts_sync_block();
})",
              256, 0),
      0);
}
BENCHMARK(barriers)->Arg(0)->Arg(1)->Unit(benchmark::kMillisecond);

/// 4 x 4 outputs a thread from shared memory, two vectors a step: the inner loop of a GEMM.
void multiply_adds(benchmark::State& state) {
  run(state,
      request(R"(extern "C" __global__ void kernel(f32* y) {
  f32* s = ts_shared<f32>(0);
  const i32 t = ts_thread_x();
  ts_local<f32, 16> acc;
  for (i32 i = 0; i < 16; ++i) acc[i] = 0.f;
  for (i32 k = 0; k < 64; ++k) {
    ts_store_shared(s + t * 4, f32x4{1.f, 2.f, 3.f, 4.f});
    ts_sync_block();
    for (i32 j = 0; j < 8; ++j) {
      const f32x4 a = ts_load_shared<f32x4>(s + (j * 16 + t / 16) % 256 * 4);
      const f32x4 b = ts_load_shared<f32x4>(s + (j * 16 + t % 16) * 4);
      for (i32 y = 0; y < 4; ++y)
        for (i32 x = 0; x < 4; ++x) acc[y * 4 + x] = ts_fma(a[y], b[x], acc[y * 4 + x]);
    }
    ts_sync_block();
  }
  if (ts_block_x() == 0 && t == 0) ts_store_global(y, acc[3]);
})",
              256, 4096),
      4.0 * 256 * 64 * 8 * 16);
}
BENCHMARK(multiply_adds)->Arg(0)->Arg(1)->Unit(benchmark::kMillisecond);

}  // namespace
