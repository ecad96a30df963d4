#include "ir/cuda_arch.h"

#include <algorithm>
#include <array>

namespace tessera::ir {

namespace {

constexpr std::int64_t kMiB = std::int64_t{1} << 20;

// Peaks: data sheets of the devices, boost clocks.
constexpr std::array<CudaArch, 5> kArchs{{
    {"sm_80", 80, 1024, 2048, 32, 255, 65536, 163 << 10, 164 << 10, 1, "A100 SXM 80 GB", 108, 40 * kMiB, 19.5, 312, 2039},
    {"sm_86", 86, 1024, 1536, 16, 255, 65536, 99 << 10, 100 << 10, 1, "A40", 84, 6 * kMiB, 37.4, 149.7, 696},
    {"sm_89", 89, 1024, 1536, 24, 255, 65536, 99 << 10, 100 << 10, 1, "L40S", 142, 96 * kMiB, 91.6, 362, 864},
    {"sm_90a", 90, 1024, 2048, 32, 255, 65536, 227 << 10, 228 << 10, 8, "H200 SXM", 132, 60 * kMiB, 66.9, 989, 4800},
    {"sm_100a", 100, 1024, 2048, 32, 255, 65536, 227 << 10, 228 << 10, 8, "B200", 148, 126 * kMiB, 74.5, 2250, 7700},
}};

constexpr int kRegisterUnit = 256, kSharedUnit = 128;

std::int64_t round_up(std::int64_t n, std::int64_t unit) { return (n + unit - 1) / unit * unit; }

std::string names() {
  std::string out;
  for (const CudaArch& a : kArchs) out += (out.empty() ? "" : ", ") + std::string(a.name);
  return out;
}

}  // namespace

std::int64_t registers_of_block(std::int64_t threads, int registers) {
  return (threads + kWarp - 1) / kWarp * round_up(std::int64_t{registers} * kWarp, kRegisterUnit);
}

int blocks_per_sm(const CudaArch& arch, std::int64_t threads, int registers, std::int64_t shared_bytes) {
  std::int64_t out = std::min<std::int64_t>(arch.blocks_per_sm, arch.threads_per_sm / round_up(std::max<std::int64_t>(1, threads), kWarp));
  if (registers > 0) out = std::min(out, arch.registers_per_sm / registers_of_block(threads, registers));
  return static_cast<int>(std::min(out, arch.shared_per_sm / (round_up(shared_bytes, kSharedUnit) + kReservedSharedPerBlock)));
}

std::span<const CudaArch> cuda_archs() { return kArchs; }

Result<CudaArch> cuda_arch(std::string_view name) {
  for (const CudaArch& a : kArchs) {
    if (name == a.name) return a;
  }
  return refuse("unknown CUDA architecture '", name.substr(0, 60), "'; those that work are ", names());
}

Result<CudaArch> cuda_arch_of_capability(int major, int minor) {
  // Code runs on later minor versions of its major one; what is named with an 'a' on its own alone.
  const CudaArch* best = nullptr;
  for (const CudaArch& a : kArchs) {
    const bool exact = a.capability == 10 * major + minor, only_exact = std::string_view(a.name).back() == 'a';
    if (exact || (!only_exact && a.capability / 10 == major && a.capability % 10 <= minor)) best = &a;
  }
  if (best != nullptr) return *best;
  return refuse("a device of compute capability ", major, ".", minor, " runs none of the architectures that work: ", names());
}

}  // namespace tessera::ir
