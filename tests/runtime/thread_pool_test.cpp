#include "runtime/cpu/thread_pool.h"

#include <gtest/gtest.h>
#include <sched.h>

#include <atomic>
#include <chrono>
#include <limits>
#include <mutex>
#include <thread>
#include <vector>

#include "runtime/cpu/cpu_info.h"
#include "runtime/cpu/peak_probe.h"

namespace tessera::runtime {
namespace {

/// Any callable as a loop body.
template <class F>
std::int32_t loop(ThreadPool& pool, std::int64_t begin, std::int64_t end, F&& f) {
  return pool.parallel_for(
      begin, end,
      [](std::int64_t b, std::int64_t e, void* c) -> std::int32_t {
        return (*static_cast<std::remove_reference_t<F>*>(c))(b, e);
      },
      &f);
}

TEST(ThreadPool, EveryIterationOnce) {
  for (const int threads : {1, 2, 3, 7}) {
    ThreadPool pool(threads);
    EXPECT_EQ(pool.threads(), threads);
    for (const std::int64_t n : {0, 1, 2, 3, 10, 1000}) {
      std::vector<std::atomic<int>> seen(static_cast<std::size_t>(n));
      std::atomic<int> pieces{0};
      const std::int32_t result = loop(pool, 5, 5 + n, [&](std::int64_t b, std::int64_t e) {
        ++pieces;
        EXPECT_LT(b, e);
        for (std::int64_t i = b; i < e; ++i) ++seen[static_cast<std::size_t>(i - 5)];
        return 0;
      });
      EXPECT_EQ(result, 0);
      EXPECT_LE(pieces, threads);
      for (const auto& s : seen) EXPECT_EQ(s, 1);
    }
  }
}
TEST(ThreadPool, PartitionIsContiguousAndAlwaysTheSame) {
  ThreadPool pool(3);
  const auto pieces = [&] {
    std::mutex mutex;
    std::vector<std::pair<std::int64_t, std::int64_t>> out;
    loop(pool, 0, 10, [&](std::int64_t b, std::int64_t e) {
      const std::lock_guard lock(mutex);
      out.emplace_back(b, e);
      return 0;
    });
    std::sort(out.begin(), out.end());
    return out;
  };
  const std::vector<std::pair<std::int64_t, std::int64_t>> want{{0, 4}, {4, 7}, {7, 10}};
  for (int i = 0; i < 50; ++i) EXPECT_EQ(pieces(), want);
}
TEST(ThreadPool, ExtremeRanges) {
  ThreadPool pool(2);
  constexpr std::int64_t kLow = std::numeric_limits<std::int64_t>::min(),
                         kHigh = std::numeric_limits<std::int64_t>::max();
  std::atomic<std::uint64_t> sum{0};
  loop(pool, kLow, kHigh, [&](std::int64_t b, std::int64_t e) {
    sum += static_cast<std::uint64_t>(e) - static_cast<std::uint64_t>(b);
    return 0;
  });
  EXPECT_EQ(sum, static_cast<std::uint64_t>(kHigh) - static_cast<std::uint64_t>(kLow));
  EXPECT_EQ(loop(pool, 3, 1, [](std::int64_t, std::int64_t) { return 1; }), 0);
}
TEST(ThreadPool, FirstErrorInRangeOrder) {
  ThreadPool pool(4);
  EXPECT_EQ(
      loop(pool, 0, 100,
           [](std::int64_t b, std::int64_t) { return b >= 50 ? static_cast<std::int32_t>(b) : 0; }),
      50);
  EXPECT_EQ(loop(pool, 0, 100, [](std::int64_t, std::int64_t) { return 0; }),
            0);  // errors do not stay
}
TEST(ThreadPool, NestedLoopsRunWhereTheyAre) {
  ThreadPool pool(2);
  std::atomic<int> count{0};
  loop(pool, 0, 8, [&](std::int64_t b, std::int64_t e) {
    for (std::int64_t i = b; i < e; ++i) {
      const std::thread::id here = std::this_thread::get_id();
      loop(pool, 0, 8, [&](std::int64_t c, std::int64_t d) {
        EXPECT_EQ(std::this_thread::get_id(), here);
        count += static_cast<int>(d - c);
        return 0;
      });
    }
    return 0;
  });
  EXPECT_EQ(count, 64);
}
TEST(ThreadPool, SeveralCallersAtOnce) {
  ThreadPool pool(2);
  std::atomic<std::int64_t> total{0};
  std::vector<std::thread> callers;
  for (int t = 0; t < 3; ++t)
    callers.emplace_back([&] {
      for (int i = 0; i < 200; ++i)
        loop(pool, 0, 10, [&](std::int64_t b, std::int64_t e) {
          total += e - b;
          return 0;
        });
    });
  for (std::thread& t : callers) t.join();
  EXPECT_EQ(total, 3 * 200 * 10);
}
TEST(ThreadPool, WakesFromSleep) {
  ThreadPool pool(2);
  for (int i = 0; i < 5; ++i) {
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
    std::atomic<int> pieces{0};
    loop(pool, 0, 2, [&](std::int64_t, std::int64_t) {
      ++pieces;
      return 0;
    });
    EXPECT_EQ(pieces, 2);
  }
}
TEST(ThreadPool, ThreadsArePinnedApartAndTheCallerIsReleased) {
  const std::vector<int> before = allowed_processors();
  {
    ThreadPool pool(2);
    std::array<std::vector<int>, 2> masks;
    loop(pool, 0, 2, [&](std::int64_t b, std::int64_t) {
      masks[static_cast<std::size_t>(b)] = allowed_processors();
      return 0;
    });
    EXPECT_EQ(masks[0].size(), 1U);
    EXPECT_EQ(masks[1].size(), 1U);
    EXPECT_EQ(masks[0] == masks[1], before.size() == 1);
  }
  EXPECT_EQ(allowed_processors(), before);
}
TEST(ThreadPool, StartHookRunsOnEachNewThread) {
  std::atomic<int> started{0};
  {
    ThreadPool pool(3, [&] { ++started; });
    loop(pool, 0, 3, [](std::int64_t, std::int64_t) { return 0; });
  }
  EXPECT_EQ(started, 2);
}
TEST(ThreadPool, OversubscribedIsSlowButNotStuck) {
  ThreadPool pool(16);
  const auto begin = std::chrono::steady_clock::now();
  std::atomic<int> total{0};
  for (int i = 0; i < 100; ++i)
    loop(pool, 0, 16, [&](std::int64_t b, std::int64_t e) {
      total += static_cast<int>(e - b);
      return 0;
    });
  EXPECT_EQ(total, 1600);
  EXPECT_LT(std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count(), 5.0);
}
TEST(ThreadPool, HostCallsThroughC) {
  ThreadPool pool(2);
  int workspace = 0;
  const tessera_host host = pool.host(&workspace);
  EXPECT_EQ(host.workspace, &workspace);
  std::atomic<std::int64_t> sum{0};
  const std::int32_t result = host.parallel_for(
      host.context, 0, 100,
      [](std::int64_t b, std::int64_t e, void* c) -> std::int32_t {
        for (std::int64_t i = b; i < e; ++i) *static_cast<std::atomic<std::int64_t>*>(c) += i;
        return 0;
      },
      &sum);
  EXPECT_EQ(result, 0);
  EXPECT_EQ(sum, 4950);
}

TEST(PeakProbe, OrdersOfMagnitude) {
  const double f32 = probe_gflops(ProbeKind::kF32), f64 = probe_gflops(ProbeKind::kF64);
  const double i32 = probe_gflops(ProbeKind::kI32), i8 = probe_gflops(ProbeKind::kI8);
  EXPECT_GT(f32, 1);
  EXPECT_LT(f32, 2000);
  EXPECT_GT(f32, 1.5 * f64);
  EXPECT_LT(f32, 2.7 * f64);
  EXPECT_GT(i32, 0.5);
  EXPECT_GT(i8, i32);
  EXPECT_EQ(probe_kind(ir::bf16), ProbeKind::kF32);
  EXPECT_EQ(probe_kind(ir::f64), ProbeKind::kF64);
  EXPECT_EQ(probe_kind(ir::i8), ProbeKind::kI8);
  EXPECT_EQ(probe_kind(ir::i64), ProbeKind::kI32);
}
TEST(PeakProbe, Bandwidth) { EXPECT_GT(probe_read_gb_s(1, 8 << 20), 0.5); }
TEST(CpuInfo, SaysSomething) {
  const CpuInfo info = cpu_info();
  EXPECT_FALSE(info.name.empty());
  EXPECT_FALSE(info.isa.empty());
  EXPECT_GE(info.cores, 1);
}

}  // namespace
}  // namespace tessera::runtime
