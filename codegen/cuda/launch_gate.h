// The static gate: what can be refused before a second is spent on compiling.
#pragma once

#include <cstdint>

#include "ir/cuda_arch.h"
#include "runtime/kernel_image.h"

namespace tessera::codegen {

/// What is known of a launch before its text is compiled.
struct LaunchFacts {
  runtime::Extent3 grid, block, cluster;
  std::int64_t shared_bytes = 0;  // of a block, static and dynamic
  int registers = 0;              // of a thread, estimated; 0: not known
  int named_barriers = 0;         // beside the whole block's
};

/// Refuses what cannot run on `arch`, naming the figure and its limit.
Status check_launch(const LaunchFacts& facts, const ir::CudaArch& arch);

/// How many blocks of a launch are on one SM at a time; 0 when not even one fits.
int blocks_per_sm(const LaunchFacts& facts, const ir::CudaArch& arch);

/// A thread's registers: what holds its tile, what stages values on their way, and what addresses, loop
/// counters and the compiler take beside (40).
constexpr int estimate_registers(int tile, int staging) { return tile + 2 * staging + 40; }

}  // namespace tessera::codegen
