// What CUDA targets can hold and how fast they are: the limits that a launch is checked against and the
// peaks that models and reports divide by.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "support/result.h"

namespace tessera::ir {

/// One architecture. Limits hold for all its devices (CUDA programming guide, "technical
/// specifications per compute capability"); what differs from device to device is that of `device`.
struct CudaArch {
  const char* name;  // "sm_90a"
  int capability;    // compute capability: 10 x major + minor

  int threads_per_block, threads_per_sm, blocks_per_sm;
  int registers_per_thread, registers_per_sm;   // 32 bits each; a block may have all of an SM
  int shared_per_block, shared_per_sm;          // bytes; of a block: with the opt-in above 48 KiB
  int cluster_blocks;                           // portable cluster size; 1: no clusters

  const char* device;  // the one that stands for it where none is at hand
  int sms;
  std::int64_t l2_bytes;
  double f32_tflops, f16_tensor_tflops;  // dense, f32 sums
  double memory_gb_s;
};

/// Shared memory of a block that needs no opt-in, in bytes.
inline constexpr int kSharedWithoutOptIn = 48 << 10;
/// The driver keeps so many bytes of every block's shared memory on sm_80 and later.
inline constexpr int kReservedSharedPerBlock = 1 << 10;
inline constexpr int kWarp = 32;
inline constexpr std::int64_t kMostBlocksX = (std::int64_t{1} << 31) - 1, kMostBlocksYZ = 65535;
inline constexpr int kMostThreadsZ = 64;

/// Registers that a block of so many threads takes of an SM: they are given out to warps in units of 256.
std::int64_t registers_of_block(std::int64_t threads, int registers);
/// How many such blocks are on one SM at a time; 0 when not even one fits. `registers` of a thread, 0: not
/// known.
int blocks_per_sm(const CudaArch& arch, std::int64_t threads, int registers, std::int64_t shared_bytes);

/// All that are known, oldest first.
std::span<const CudaArch> cuda_archs();
/// Refuses an unknown name with those that work.
Result<CudaArch> cuda_arch(std::string_view name);
/// The one whose code runs on a device of this compute capability; refuses devices older or newer than
/// all of ours.
Result<CudaArch> cuda_arch_of_capability(int major, int minor);
/// What `cuda` without -arch means where there is no device.
inline constexpr const char* kDefaultCudaArch = "sm_90a";

}  // namespace tessera::ir
