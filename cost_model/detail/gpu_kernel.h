// Which statements make one kernel, what it holds of an SM, and how a warp's accesses fall on memory.
#pragma once

#include "cost_model/detail/nest_analysis.h"
#include "ir/cuda_arch.h"

namespace tessera::cost_model::detail {

/// What the loops of a statement are to a block. Indices count all loops of its summary.
struct ThreadLoops {
  double blocks = 1, threads = 1;
  double outer = 1;            // iterations of loops between blocks and threads
  std::size_t last_block = 0;  // one after the last loop over blocks, over threads
  std::size_t last_thread = 0;
};
ThreadLoops thread_loops(const ir::StatementSummary& s);
/// Whether the statement indexes registers by a loop, which is then unrolled: registers have no addresses.
bool indexes_registers(const ir::StatementSummary& s, std::size_t loop);

/// Of the product of a warp: fragments of its first or second factor that stay in registers at a time.
double fragments(const ir::StatementSummary& s, std::size_t operand);

struct GpuKernel {
  std::size_t first = 0, last = 0;  // statements [first, last)
  double blocks = 1, threads = 1;
  bool in_last_block = false;  // no launch of its own: the last block of the kernel before goes on with it
  double shared_bytes = 0, registers = 0;  // of a block; of a thread, estimated
  std::vector<const std::string*> private_arrays;  // buffers of a thread that are no registers

  bool is_private(const std::string& buffer) const;
};

/// The kernel that begins with statement `first`.
GpuKernel kernel_at(const NestView& nest, std::size_t first);

/// One access by the 32 lanes of a warp.
struct WarpAccess {
  double width = 4;         // bytes a lane moves at once
  double instructions = 0;  // of a thread, over the whole kernel
  double sectors = 0;       // 32-byte sectors of one instruction
  double conflicts = 1;     // cycles of one instruction in shared memory
};
/// `tile`: the other side of a copy, whose rows tell how far neighbours stay neighbours where the index is
/// not regular; may be null.
WarpAccess warp_access(const ir::StatementSummary& s, const ir::AccessSummary& a, const ir::AccessSummary* tile);

}  // namespace tessera::cost_model::detail
