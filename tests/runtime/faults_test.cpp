// Kernels that do what they must not: each ends in its own status, and the next one feels nothing.
#include <gtest/gtest.h>
#include <signal.h>

#include "tests/runtime/measure_fixture.h"

namespace tessera::runtime {
namespace {

using testing::c_kernel;
using testing::children_of;
using testing::doubling_data;
using testing::entries_of;
using testing::kDouble;
using testing::kMemoryCanBeLimited;
using testing::seconds_of;

class Faults : public testing::MeasureFixture {};

TEST_F(Faults, NullStore) {
  expect(run_bad("*(volatile int*)0 = 1;"), MeasureStatus::kCrash, "verify_exact",
         "SIGSEGV: write to 0x0");
}
TEST_F(Faults, IllegalInstruction) {
  expect(run_bad("__builtin_trap();"), MeasureStatus::kCrash, "verify_exact", "SIG");
}
TEST_F(Faults, UnalignedOrImpossibleAddress) {
  expect(run_bad("*(volatile int*)0x0123456789abcdef = 1;"), MeasureStatus::kCrash, "verify_exact",
         "SIGSEGV");
}
#if defined(__x86_64__)
TEST_F(Faults, DivisionByZero) {
  expect(run_bad("volatile int z = 0; o[0] = 7 / z;"), MeasureStatus::kCrash, "verify_exact",
         "SIGFPE");
}
#endif
TEST_F(Faults, JumpToData) {
  expect(run_bad("((void (*)(void))data)();", "static int data[64] = {1};"), MeasureStatus::kCrash,
         "verify_exact", "SIGSEGV");
  expect(run_bad("((void (*)(void))a)();"), MeasureStatus::kCrash, "verify_exact", "SIGSEGV");
}
TEST_F(Faults, StackOverflow) {
  const std::string recursion =
      "__attribute__((noinline)) static int down(int n) { volatile char pad[4096]; pad[0] = n; "
      "return down(n + 1) + pad[0]; }";
  expect(run_bad("o[0] = down(0);", recursion), MeasureStatus::kCrash, "verify_exact",
         "stack overflow");
}
TEST_F(Faults, InfiniteLoop) {
  Measurement m;
  const double s = seconds_of([&] {
    MeasureOptions options;
    options.limits.wall_ns = 300'000'000;
    m = run(c_kernel("for (;;) asm volatile(\"\");"), options);
  });
  expect(m, MeasureStatus::kTimeout, "verify_exact", "300 ms");
  EXPECT_GE(s, 0.3);
  EXPECT_LT(s, 0.8);
  EXPECT_EQ(run(c_kernel(kDouble)).status, MeasureStatus::kOk);
}
TEST_F(Faults, CpuTimeLimit) {
  MeasureOptions options;
  options.limits.cpu_ns = 1;  // a second is the least the system offers
  expect(run(c_kernel("for (;;) asm volatile(\"\");"), options), MeasureStatus::kTimeout,
         "verify_exact", "");
}

TEST_F(Faults, StoreOutOfBounds) {
  const std::string good = kDouble;
  // 4000 bytes at an alignment of 64 leave 32 bytes of slack, seen when the kernel has ended.
  expect(run_bad(good + "o[n] = 1;"), MeasureStatus::kOutOfBounds, "verify_exact",
         "write at byte 4000 of 'O'");
  expect(run_bad(good + "o[n + 8] = 1;"), MeasureStatus::kOutOfBounds, "verify_exact",
         "write at byte 4032 of 'O'");
  expect(run_bad(good + "o[-1] = 1;"), MeasureStatus::kOutOfBounds, "verify_exact", "of 'O'");
  expect(run_bad(good + "o[n + 1000] = 1;"), MeasureStatus::kOutOfBounds, "verify_exact",
         "write at byte 8000 of 'O'");
  expect(run_bad(good + "o[n + 200000] = 1;"), MeasureStatus::kOutOfBounds, "verify_exact",
         "write at byte 804000 of 'O'");
}
TEST_F(Faults, ElementAlignmentLeavesNoSlack) {
  const Measurement m = run(c_kernel(
      "for (int64_t i = 0; i <= n; ++i) o[i] = 2 * a[i < n ? i : 0];", "", "float", ir::f32, 4));
  expect(m, MeasureStatus::kOutOfBounds, "verify_exact",
         "write at byte 4000 of 'O', which has 4000 bytes");
}
TEST_F(Faults, ReadOutOfBounds) {
  expect(run_bad("for (int64_t i = 0; i < n; ++i) o[i] = 2 * a[i] + 0 * ((volatile T*)a)[i + 16];"),
         MeasureStatus::kOutOfBounds, "verify_exact", "read at byte 4032 of 'A'");
  expect(run_bad("for (int64_t i = 0; i < n; ++i) o[i] = 2 * a[i] + 0 * ((volatile T*)a)[i - 1];"),
         MeasureStatus::kOutOfBounds, "verify_bounded", "read at byte -4 of 'A'");
}
TEST_F(Faults, LoadAndStoreBackPastTheEnd) {
  expect(run_bad(std::string(kDouble) + "volatile T* p = o + n + 32; *p = *p;"),
         MeasureStatus::kOutOfBounds, "verify_exact", "of 'O'");
}
TEST_F(Faults, WriteIntoInput) {
  expect(run_bad(std::string(kDouble) + "a[5] = a[5] + 1;"), MeasureStatus::kInputModified,
         "verify_exact", "write at byte 20 of 'A'");
}
TEST_F(Faults, ElementNeverWritten) {
  expect(run_bad("for (int64_t i = 0; i < n - 1; ++i) o[i] = 2 * a[i];"),
         MeasureStatus::kUninitialised, "verify_exact", "O[999]");
  expect(run_bad(""), MeasureStatus::kUninitialised, "verify_exact", "O[0]");
}
TEST_F(Faults, AccumulationIntoUnsetOutput) {
  EXPECT_FALSE(run_bad("for (int64_t i = 0; i < n; ++i) o[i] += 2 * a[i];").ok());
}
TEST_F(Faults, WrongValue) {
  const std::string wrong = "for (int64_t i = 0; i < n; ++i) o[i] = 2 * a[i] + (i == 700);";
  expect(run_bad(wrong), MeasureStatus::kWrongAnswer, "verify_exact",
         "O[700] (element 700): expected -10, got -9");
  const std::string inexact =
      "for (int64_t i = 0; i < n; ++i) o[i] = a[i] == (int)a[i] ? 2 * a[i] : 2.001f * a[i];";
  expect(run_bad(inexact), MeasureStatus::kWrongAnswer, "verify_bounded", "apart");
}
TEST_F(Faults, RightOnceWrongWhenRepeated) {
  const std::string drifting =
      "static int calls; ++calls; for (int64_t i = 0; i < n; ++i) o[i] = 2 * a[i] + (calls > 2);";
  expect(run_bad(drifting), MeasureStatus::kWrongAnswer, "verify_timed", "expected");
}
TEST_F(Faults, NonzeroResult) {
  expect(run_bad("return 42;"), MeasureStatus::kInternal, "verify_exact", "42");
}

TEST_F(Faults, HugeWorkspace) {
  if (!kMemoryCanBeLimited) GTEST_SKIP() << "sanitizers reserve all the address space";
  KernelImage image = c_kernel(kDouble);
  image.workspace_bytes = std::int64_t{100} << 30;
  expect(run(image), MeasureStatus::kResource, "allocate", "workspace");
  EXPECT_EQ(run(c_kernel(kDouble)).status, MeasureStatus::kOk);
}
#if defined(__x86_64__)
const char* const kMap =
    "static char* map(void) { register long r10 asm(\"r10\") = 0x22; register long r8 asm(\"r8\") "
    "= -1; register long r9 asm(\"r9\") = 0;"
    " long p; asm volatile(\"syscall\" : \"=a\"(p) : \"a\"(9L), \"D\"(0L), \"S\"(1L << 24), "
    "\"d\"(3L), \"r\"(r10), \"r\"(r8), \"r\"(r9) : \"rcx\", \"r11\", \"memory\");"
    " return (char*)p; }";
TEST_F(Faults, AllocationWithoutEnd) {
  if (!kMemoryCanBeLimited) GTEST_SKIP() << "sanitizers reserve all the address space";
  expect(run_bad("for (;;) { volatile char* p = map(); p[0] = 1; }", kMap),
         MeasureStatus::kResource, "verify_exact", "limit");
  expect(run_bad("for (;;) map();", kMap), MeasureStatus::kResource, "verify_exact", "limit");
}
TEST_F(Faults, GrandchildrenAreKilled) {
  const char* fork_ =
      "static long fork_(void) { long p; asm volatile(\"syscall\" : \"=a\"(p) : \"a\"(57L) : "
      "\"rcx\", \"r11\", \"memory\"); return p; }"
      "static long setsid_(void) { long p; asm volatile(\"syscall\" : \"=a\"(p) : \"a\"(112L) : "
      "\"rcx\", \"r11\", \"memory\"); return p; }";
  run_bad(
      "if (fork_() == 0) { setsid_(); fork_(); for (;;) asm volatile(\"pause\"); } *(volatile "
      "int*)0 = 1;",
      fork_);
  EXPECT_EQ(children_of(measurer_.worker().server_pid()), "");
}
#endif

TEST_F(Faults, TwoHundredCrashesLeaveNothing) {
  const testing::TemporaryDirectory temporary;
  ::setenv("TMPDIR", temporary.path().c_str(), 1);
  CpuMeasurer measurer;
  measurer.install(doubling_data());
  const KernelImage good = c_kernel(kDouble), bad = c_kernel("*(volatile int*)0 = 1;");
  ASSERT_TRUE(measurer.measure(good, {}).ok());
  const std::string server = "/proc/" + std::to_string(measurer.worker().server_pid()) + "/fd";
  const std::size_t ours = entries_of("/proc/self/fd"), theirs = entries_of(server);
  const double crashes = seconds_of([&] {
    for (int i = 0; i < 200; ++i)
      EXPECT_EQ(measurer.measure(bad, {}).status, MeasureStatus::kCrash);
  });
  EXPECT_LT(crashes / 200, 0.5);
  EXPECT_LT(seconds_of([&] { EXPECT_TRUE(measurer.measure(good, {}).ok()); }), 0.5);
  EXPECT_EQ(measurer.worker().servers_started(), 1);
  EXPECT_EQ(children_of(measurer.worker().server_pid()), "");
  EXPECT_EQ(entries_of("/proc/self/fd"), ours);
  EXPECT_EQ(entries_of(server), theirs);
  EXPECT_EQ(entries_of(temporary.path()), 0U);
  ::unsetenv("TMPDIR");
}
TEST_F(Faults, KilledServerIsReplaced) {
  ASSERT_TRUE(run(c_kernel(kDouble)).ok());
  ::kill(measurer_.worker().server_pid(), SIGKILL);
  EXPECT_TRUE(run(c_kernel(kDouble)).ok());
  MeasureOptions slow;
  slow.limits.wall_ns = 400'000'000;
  measurer_.start(c_kernel("for (;;) asm volatile(\"\");"), slow);
  ::kill(measurer_.worker().server_pid(), SIGKILL);  // in the middle of a measurement
  EXPECT_EQ(measurer_.finish().status, MeasureStatus::kTimeout);
  EXPECT_TRUE(run(c_kernel(kDouble)).ok());
}

}  // namespace
}  // namespace tessera::runtime
