#include "runtime/cpu/peak_probe.h"

#include <sys/mman.h>

#include <algorithm>
#include <array>
#include <atomic>

#include "runtime/cpu/peak_kernels.h"
#include "runtime/cpu/thread_pool.h"
#include "runtime/cpu/timer.h"

namespace tessera::runtime {

namespace {

constexpr std::int64_t kWarmUp_ns = 50'000;  // wide units and clock settle in 10 to 20 us
constexpr std::int64_t kProbe_ns = 300'000;

std::int64_t time_of(const PeakKernel& kernel, std::int64_t rounds) {
  const std::int64_t begin = thread_cpu_ns();
  kernel.run(rounds);
  return std::max<std::int64_t>(1, thread_cpu_ns() - begin);
}

/// Rounds that take about kProbe_ns, from a warm-up that doubles until it is long enough.
std::int64_t calibrate(const PeakKernel& kernel) {
  for (std::int64_t rounds = 64;; rounds *= 2) {
    const std::int64_t ns = time_of(kernel, rounds);
    if (ns >= kWarmUp_ns) return std::max<std::int64_t>(1, rounds * kProbe_ns / ns);
  }
}

// Four independent sums hide the latency of the additions; the kernel is bound by the loads.
typedef std::uint64_t Words __attribute__((vector_size(64), aligned(8)));

std::uint64_t read_all(const std::uint64_t* data, std::int64_t words) {
  Words a{}, b{}, c{}, d{};
  for (std::int64_t i = 0; i + 32 <= words; i += 32) {
    a += *reinterpret_cast<const Words*>(data + i);
    b += *reinterpret_cast<const Words*>(data + i + 8);
    c += *reinterpret_cast<const Words*>(data + i + 16);
    d += *reinterpret_cast<const Words*>(data + i + 24);
  }
  const Words sum = a + b + c + d;
  return sum[0] + sum[1] + sum[2] + sum[3] + sum[4] + sum[5] + sum[6] + sum[7];
}

struct ReadJob {
  const std::byte* data;
  std::int64_t bytes_each;
  std::atomic<std::uint64_t> sink{0};  // keeps the reads
};

std::int32_t read_piece(std::int64_t begin, std::int64_t end, void* closure) {
  auto& job = *static_cast<ReadJob*>(closure);
  for (std::int64_t t = begin; t < end; ++t) {
    const auto* words = reinterpret_cast<const std::uint64_t*>(job.data + t * job.bytes_each);
    job.sink += read_all(words, job.bytes_each / 8);
  }
  return 0;
}

}  // namespace

ProbeKind probe_kind(ir::Type dtype) {
  if (dtype.is_float()) return dtype.bits == 64 ? ProbeKind::kF64 : ProbeKind::kF32;
  return dtype.is_integral() && dtype.bits == 8 ? ProbeKind::kI8 : ProbeKind::kI32;
}

double probe_gflops(ProbeKind kind) {
  const PeakKernel kernel = peak_kernel(kind);
  const std::int64_t rounds = calibrate(kernel);
  const std::int64_t ns = time_of(kernel, rounds);
  return kernel.operations_per_round * static_cast<double>(rounds) / static_cast<double>(ns);
}

double probe_read_gb_s(int threads, std::int64_t bytes) {
  const std::int64_t each = bytes / 4096 * 4096, total = each * threads;
  void* memory = ::mmap(nullptr, static_cast<std::size_t>(total), PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (memory == MAP_FAILED) return 0;
  ::madvise(memory, static_cast<std::size_t>(total), MADV_HUGEPAGE);
  auto* data = static_cast<std::byte*>(memory);
  for (std::int64_t i = 0; i < total; i += 4096)
    data[i] = std::byte{1};  // own pages, not the zero page
  ThreadPool pool(threads);
  ReadJob job{data, each};
  std::int64_t best = 0;
  for (int pass = 0; pass < 3; ++pass) {
    const std::int64_t begin = monotonic_ns();
    pool.parallel_for(0, threads, read_piece, &job);
    const std::int64_t ns = std::max<std::int64_t>(1, monotonic_ns() - begin);
    best = best == 0 ? ns : std::min(best, ns);
  }
  ::munmap(memory, static_cast<std::size_t>(total));
  return static_cast<double>(total) / static_cast<double>(best);
}

}  // namespace tessera::runtime
