#pragma once

#include "lower/lower.h"

namespace tessera::lower {

/// From the tile program to the thread program: loops over threads disappear, and every thread of the
/// block runs the body with its own coordinates. Afterwards a kernel is: block loops, one loop
/// thread.x over all threads of the block, their coordinates as lets, the body with its barriers.
///
///   for b block.x { for k0 { for t in 0..96 thread.x: A.s[t] = ..; barrier; for t in 0..64 thread.x: .. } }
///   ->
///   for b block.x { for thread in 0..96 thread.x { for k0 { A.s[thread] = ..; barrier; if thread < 64: .. } } }
///
/// A statement outside of loops over threads is run by every thread where it writes registers, else by
/// thread 0. A reduction loop over threads becomes partial results that meet by shuffles and shared memory
/// (lower/detail/join_threads.h). What stands behind the loops over blocks in the role `last_block` moves inside of
/// them, behind a count of the blocks that are done. Refuses more than 1,024 threads and kernels without block loops that
/// need them.
Result<ir::Program> bind_threads(const ir::Program& program, const Options& options);

}  // namespace tessera::lower
