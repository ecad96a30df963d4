#include "codegen/cuda/launch_gate.h"

#include <algorithm>

namespace tessera::codegen {

namespace {

constexpr int kMostNamedBarriers = 15;  // of 16, the first of which is the whole block's

std::int64_t volume(const runtime::Extent3& e) {
  std::int64_t out = 0;
  const bool overflow = __builtin_mul_overflow(e.x, e.y, &out) || __builtin_mul_overflow(out, e.z, &out);
  return overflow ? INT64_MAX : out;
}

bool positive(const runtime::Extent3& e) { return e.x >= 1 && e.y >= 1 && e.z >= 1; }

Status check_cluster(const LaunchFacts& f, const ir::CudaArch& arch) {
  const std::int64_t blocks = volume(f.cluster);
  if (blocks == 1) return Done{};
  if (blocks > arch.cluster_blocks) {
    return refuse("a cluster of ", blocks, " blocks; ", arch.name,
                  arch.cluster_blocks == 1 ? " has no clusters" : " takes at most ",
                  arch.cluster_blocks == 1 ? "" : std::to_string(arch.cluster_blocks));
  }
  if (f.grid.x % f.cluster.x != 0 || f.grid.y % f.cluster.y != 0 || f.grid.z % f.cluster.z != 0) {
    return refuse("a grid of ", f.grid.x, " x ", f.grid.y, " x ", f.grid.z,
                  " is not a whole number of clusters of ", f.cluster.x, " x ", f.cluster.y, " x ",
                  f.cluster.z);
  }
  return Done{};
}

}  // namespace

Status check_launch(const LaunchFacts& f, const ir::CudaArch& arch) {
  if (!positive(f.grid) || !positive(f.block) || !positive(f.cluster))
    return refuse("an extent of the launch is below 1");
  const std::int64_t threads = volume(f.block);
  if (threads > arch.threads_per_block)
    return refuse("a block of ", threads, " threads; ", arch.name, " takes at most ", arch.threads_per_block);
  if (f.block.z > ir::kMostThreadsZ)
    return refuse("a block ", f.block.z, " threads deep; at most ", ir::kMostThreadsZ);
  if (threads % ir::kWarp != 0)
    return refuse("a block of ", threads, " threads; whole warps of ", ir::kWarp, " are needed");
  if (f.grid.x > ir::kMostBlocksX)
    return refuse("a grid of ", f.grid.x, " blocks along x; at most ", ir::kMostBlocksX);
  if (std::max(f.grid.y, f.grid.z) > ir::kMostBlocksYZ) {
    return refuse("a grid of ", std::max(f.grid.y, f.grid.z), " blocks along y or z; at most ",
                  ir::kMostBlocksYZ, "; x has room");
  }
  TESSERA_TRY_DONE(check_cluster(f, arch));
  if (f.shared_bytes < 0 || f.shared_bytes > arch.shared_per_block) {
    return refuse(f.shared_bytes, " bytes of shared memory a block; ", arch.name, " has ",
                  arch.shared_per_block);
  }
  if (f.named_barriers > kMostNamedBarriers)
    return refuse(f.named_barriers, " named barriers; a block has ", kMostNamedBarriers);
  if (f.registers > arch.registers_per_thread) {
    return refuse("about ", f.registers, " registers a thread; ", arch.name, " has ",
                  arch.registers_per_thread);
  }
  if (ir::registers_of_block(threads, f.registers) > arch.registers_per_sm) {
    return refuse(threads, " threads of about ", f.registers, " registers; an SM of ", arch.name, " has ",
                  arch.registers_per_sm, " in all");
  }
  return Done{};
}

int blocks_per_sm(const LaunchFacts& f, const ir::CudaArch& arch) {
  return ir::blocks_per_sm(arch, volume(f.block), f.registers, f.shared_bytes);
}

}  // namespace tessera::codegen
