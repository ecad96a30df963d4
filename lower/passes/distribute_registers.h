#pragma once

#include "lower/lower.h"

namespace tessera::lower {

/// Gives each thread its part of the register tiles of a block: the part of every index that is made of
/// thread coordinates chooses the thread, the rest an element of a dense array of its own.
///
///   C.r[y*8 + i, x*4 + 64*v + j]   of a tile 64 x 128, i < 8, v < 2, j < 4     ->   C.r[i*8 + v*4 + j], 64 elements
///
/// Refuses accesses that do not agree on whose element it is: another thread's registers cannot be read.
/// Needs the thread program; leaves register buffers of one dimension.
Result<ir::Program> distribute_registers(const ir::Program& program, const Options& options);

}  // namespace tessera::lower
