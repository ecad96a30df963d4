// The race detector on kernels of a few lines: each kind of race is told, each kind of order is
// accepted.
#include "tests/emulator/fixture.h"

namespace tessera::test {
namespace {

struct Launch {
  int threads = 64, grid = 1;
};

/// What the first mode and order that finds something says of a body with `f32* y` (4096 bytes,
/// undefined), `u32* flag` (64 bytes of zeros), `const f32* x` (4096 bytes) and an arena of 1024.
std::string findings_of(const std::string& body, Launch launch = {}) {
  for (const EmulationMode mode : {EmulationMode::kEager, EmulationMode::kLate}) {
    for (const std::uint64_t seed : {0, 5}) {
      EmulationRequest q;
      q.text =
          "extern \"C\" __global__ void __launch_bounds__(1024) kernel(f32* y, u32* flag, const "
          "f32* x) {\n"
          "  const i32 t = ts_thread_x();\n  f32* s = ts_shared<f32>(0);\n" +
          body + "\n}\n";
      q.entry = "kernel";
      q.grid = {launch.grid, 1, 1};
      q.block = {launch.threads, 1, 1};
      q.shared_bytes = 1024;
      q.arguments = {output(4096),
                     {ArgumentUse::kReadWrite, std::vector<std::byte>(64), {}},
                     input(small_integers(1024, 1))};
      q.mode = mode;
      q.seed = seed;
      const auto report = runtime::emulator::emulate(q);
      if (!report.ok()) return report.reason();
      if (!report->findings.empty()) return all_findings(*report);
    }
  }
  return "";
}

#define EXPECT_FINDING(kind, body, ...)                                                 \
  EXPECT_NE(findings_of(body __VA_OPT__(, ) __VA_ARGS__).find(kind), std::string::npos) \
      << findings_of(body __VA_OPT__(, ) __VA_ARGS__)
#define EXPECT_CLEAN(body, ...) EXPECT_EQ(findings_of(body __VA_OPT__(, ) __VA_ARGS__), "")

TEST(Races, SharedReadAfterWrite) {
  EXPECT_FINDING(
      "shared_race: reads byte 0 of the shared arena with no order after a write by thread (0,0,0)",
      "ts_store_shared(s + t, 1.f); if (t > 0) ts_load_shared<f32>(s + t - 1);");
  EXPECT_CLEAN(
      "ts_store_shared(s + t, 1.f); ts_sync_block(); if (t > 0) ts_load_shared<f32>(s + t - 1);");
}

TEST(Races, SharedWriteAfterRead) {
  const std::string first =
      "ts_store_shared(s + t, 1.f); ts_sync_block(); ts_load_shared<f32>(s + (t + 1) % 64);";
  EXPECT_FINDING("after a read by", first + "ts_store_shared(s + t, 2.f);");
  EXPECT_CLEAN(first + "ts_sync_block(); ts_store_shared(s + t, 2.f);");
}

TEST(Races, SharedWriteAfterWrite) {
  EXPECT_FINDING("writes byte 0 of the shared arena with no order after a write",
                 "ts_store_shared(s + t / 2, 1.f);");
}

/// Many readers of one word, then one writer: all readers count, not only the last.
TEST(Races, EveryReaderCounts) {
  const std::string first =
      "if (t == 0) ts_store_shared(s, 1.f); ts_sync_block();"
      "if (t != 40) ts_load_shared<f32>(s); ts_sync_warp(~0u);";
  EXPECT_FINDING("after a read by thread", first + "if (t == 40) ts_store_shared(s, 2.f);");
  EXPECT_CLEAN(first + "ts_sync_block(); if (t == 40) ts_store_shared(s, 2.f);");
}

/// A lane that reads again moves to the readers of its new time and leaves the others where they
/// are.
TEST(Races, ReadersOfSeveralTimes) {
  EmulationRequest q;
  q.text =
      "extern \"C\" __global__ void kernel() {\n"
      "const i32 t = ts_thread_x(); f32* s = ts_shared<f32>(0);\n"
      "if (t == 0) ts_store_shared(s, 1.f); ts_sync_block();\n"
      "if (t == 2) ts_load_shared<f32>(s); ts_sync_warp(~0u);\n"
      "if (t == 1 || t == 2) ts_load_shared<f32>(s);\n"
      "if (t == 3) ts_store_shared(s, 2.f); }";
  q.entry = "kernel";
  q.block = {32, 1, 1};
  q.shared_bytes = 4;
  const auto report = runtime::emulator::emulate(q);
  ASSERT_TRUE(report.ok()) << report.reason();
  EXPECT_NE(
      all_findings(*report).find("writes byte 0 of the shared arena with no order after a read"),
      std::string::npos);
}

/// A granule is as small as the accesses: neighbours in one word do not race.
TEST(Races, NeighbouringBytes) {
  EXPECT_CLEAN(
      "u8* b = ts_shared<u8>(0); ts_store_shared(b + t, (u8)t); ts_sync_block();"
      "ts_store_global(y + t, (f32)ts_load_shared<u8>(b + 63 - t));");
  EXPECT_FINDING("shared_race",
                 "u8* b = ts_shared<u8>(0); ts_store_shared(b + t, (u8)t);"
                 "ts_store_global(y + t, (f32)ts_load_shared<u8>(b + 63 - t));");
}

TEST(Races, WarpBarrierOrdersOneWarp) {
  const std::string exchange =
      "ts_store_shared(s + t, 1.f); ts_sync_warp(0xffffffffu); ts_load_shared<f32>(s + ";
  EXPECT_CLEAN(exchange + "(t ^ 1));");
  EXPECT_FINDING("shared_race", exchange + "(t ^ 32));");
}

TEST(Races, ShufflesDoNotOrderMemory) {
  EXPECT_FINDING("shared_race",
                 "ts_store_shared(s + t, 1.f); ts_shuffle_xor(0xffffffffu, t, 1);"
                 "ts_load_shared<f32>(s + (t ^ 1));");
}

TEST(Races, NamedBarrierOrdersThoseWhoMeet) {
  const std::string body =
      "ts_store_shared(s + t, 1.f); if (t < 64) { ts_sync_named<1, 64>(); ts_load_shared<f32>(s + ";
  Launch launch;
  launch.threads = 128;
  EXPECT_CLEAN(body + "(63 - t)); }", launch);
  EXPECT_FINDING("shared_race", body + "64 + t); }", launch);
}

TEST(Races, AsynchronousCopies) {
  const std::string copy = "ts_async_copy<4>(s + t, x + t, t != 3); ts_async_commit();";
  EXPECT_FINDING("copy_race: reads", copy + "ts_load_shared<f32>(s + t);");
  EXPECT_FINDING("copy_race: writes", copy + "ts_store_shared(s + t, 1.f);");
  EXPECT_FINDING("copy_race", copy + copy + "ts_async_wait<1>(); ts_load_shared<f32>(s + t);");
  EXPECT_CLEAN(copy + "ts_async_wait<0>(); ts_load_shared<f32>(s + t);");
  EXPECT_FINDING("shared_race", copy + "ts_async_wait<0>(); ts_load_shared<f32>(s + (t ^ 1));");
  EXPECT_CLEAN(copy + "ts_async_wait<0>(); ts_sync_block(); ts_load_shared<f32>(s + (t ^ 1));");
}

TEST(Races, GlobalBetweenBlocks) {
  Launch two;
  two.grid = 2;
  EXPECT_FINDING("global_race", "ts_store_global(y + t, 1.f);", two);
  EXPECT_CLEAN("ts_store_global(y + ts_block_x() * 64 + t, 1.f);", two);
}

/// Data and a flag: release and acquire, or relaxed atomics between fences.
TEST(Races, FlagsBetweenBlocks) {
  Launch two;
  two.grid = 2;
  const std::string data =
      "if (ts_block_x() == 0) { ts_store_global(y + t, 1.f); ts_sync_block(); if (t == 0) ";
  const std::string use =
      "} else { if (t == 0) ts_wait_equal(flag, 1u); ts_sync_block(); ts_load_global<f32>(y + t); "
      "}";
  EXPECT_CLEAN(data + "ts_store_release(flag, 1u);" + use, two);
  EXPECT_CLEAN(data + "{ ts_fence_gpu(); ts_atomic_add_global(flag, 1u); }" + use, two);
  EXPECT_FINDING("global_race", data + "ts_atomic_add_global(flag, 1u);" + use, two);
  EXPECT_FINDING("global_race",
                 data + "{ ts_fence_block(); ts_atomic_add_global(flag, 1u); }" + use, two);
  // The barrier before the release is missing: only what thread 0 wrote itself is ordered.
  EXPECT_FINDING("global_race",
                 "if (ts_block_x() == 0) { ts_store_global(y + t, 1.f); if (t == 0) "
                 "ts_store_release(flag, 1u);" +
                     use,
                 two);
  // The barrier after the wait is missing.
  EXPECT_FINDING("global_race",
                 data +
                     "ts_store_release(flag, 1u); } else { if (t == 0) ts_wait_equal(flag, 1u); "
                     "if (t < 32) ts_sync_warp(~0u); else ts_load_global<f32>(y + t); }",
                 two);
}

TEST(Races, AtomicsDoNotRaceWithThemselves) {
  Launch two;
  two.grid = 2;
  EXPECT_CLEAN("ts_atomic_add_global(flag, 1u); ts_atomic_max_global(flag + 1, (u32)t);", two);
  EXPECT_CLEAN(
      "if (t == 0) ts_store_shared(s, 0.f); ts_sync_block(); ts_atomic_add_shared(s, 1.f); "
      "ts_sync_block();"
      "ts_load_shared<f32>(s);");
  EXPECT_FINDING(
      "shared_race",
      "if (t == 0) ts_store_shared(s, 0.f); ts_sync_block(); ts_atomic_add_shared(s, 1.f);"
      "ts_load_shared<f32>(s);");
  EXPECT_FINDING("global_race", "ts_atomic_add_global(flag, 1u); ts_load_global<u32>(flag);", two);
}

TEST(Findings, Uninitialised) {
  EXPECT_FINDING("uninitialised: reads byte 0 of the shared arena", "ts_load_shared<f32>(s);");
  EXPECT_FINDING("uninitialised: reads byte 0 of argument 0", "ts_load_global<f32>(y);");
}

TEST(Findings, StaleLoad) {
  const std::string written = "ts_store_global(y + t, 1.f); ts_sync_block(); ";
  EXPECT_FINDING("stale_load: reads byte", written + "ts_load_global_nc<f32>(y + t);");
  EXPECT_CLEAN(written + "ts_load_global<f32>(y + t);");
  EXPECT_CLEAN("ts_load_global_nc<f32>(x + t);");
}

TEST(Findings, Bounds) {
  EXPECT_FINDING("out_of_bounds: reads 4 bytes at offset 4096 of argument 2, which has 4096",
                 "ts_load_global<f32>(x + 1024);");
  EXPECT_FINDING("out_of_bounds: writes 4 bytes at offset -4 of argument 0",
                 "ts_store_global(y - 1, 1.f);");
  EXPECT_FINDING(
      "out_of_bounds: writes 16 bytes at offset 1024 of the shared arena, which has 1024",
      "ts_store_shared(s + 256, f32x4{1.f, 1.f, 1.f, 1.f});");
  EXPECT_FINDING("misaligned", "ts_store_global(y + 1, f32x2{1.f, 1.f});");
  EXPECT_FINDING("read_only", "ts_store_global(const_cast<f32*>(x) + t, 1.f);");
  EXPECT_FINDING(
      "register_index: index 4 of a register array of 4",
      "ts_local<f32, 4> r; for (i32 i = 0; i <= 4; ++i) r[i] = 1.f; ts_store_global(y + t, r[0]);");
}

TEST(Findings, Divergence) {
  EXPECT_FINDING("barrier_divergence", "if (t < 40) return; ts_sync_block();");
  EXPECT_FINDING("barrier_divergence", "if (t < 32) ts_sync_block();");
  EXPECT_FINDING("barrier_divergence", "if (t < 32)\n ts_sync_block();\n else\n ts_sync_block();");
  EXPECT_FINDING("barrier_divergence",
                 "if (t < 32)\n ts_sync_named<1, 64>();\n else\n ts_sync_named<2, 64>();");
  EXPECT_FINDING("warp_divergence",
                 "if (t < 8)\n ts_shuffle_xor(~0u, t, 1);\n else\n ts_ballot(~0u, true);");
  EXPECT_FINDING("warp_divergence: lane 31 ends", "if (t % 32 == 31) return; ts_sync_warp(~0u);");
  Launch warp_and_half;
  warp_and_half.threads = 48;
  EXPECT_FINDING("mask: the mask names lane 16, which has ended or does not exist",
                 "ts_sync_warp(~0u);", warp_and_half);
  EXPECT_FINDING("mask: lane 3 takes part and is not in the mask",
                 "ts_shuffle_xor(0xfffffff7u, t, 1);");
  EXPECT_FINDING("mask: lane 15 reads lane 16, which the mask leaves out",
                 "if (t < 16) ts_shuffle_down(0xffffu, t, 1);");
  EXPECT_CLEAN("if (t < 16) ts_shuffle_xor(0xffffu, t, 1);");
  EXPECT_FINDING("mask: nothing can run",
                 "if (t < 3) ts_sync_warp(t == 0 ? 3u : t == 1 ? 6u : 5u);");
  // Those whom a smaller mask leaves out may already wait in the next.
  EXPECT_CLEAN("if (t % 32 >= 30) ts_sync_warp(0xc0000000u);\nts_sync_warp(~0u);");
}

TEST(Findings, DeadlockTrapAndLimit) {
  EXPECT_FINDING("deadlock: nothing can run: 64 threads at the wait of line 4",
                 "ts_wait_equal(flag, 1u);");
  EXPECT_FINDING("trap", "if (t == 3) ts_trap();");
  EmulationRequest q;
  q.text = "extern \"C\" __global__ void spin(f32* y) { for (;;) ts_store_global(y, 1.f); }";
  q.entry = "spin";
  q.arguments = {output(4)};
  q.step_limit = 1000;
  const auto report = runtime::emulator::emulate(q);
  ASSERT_TRUE(report.ok()) << report.reason();
  ASSERT_EQ(report->findings.size(), 1u);
  EXPECT_EQ(report->findings[0].kind, FindingKind::kStepLimit);
}

}  // namespace
}  // namespace tessera::test
