#pragma once

#include "lower/lower.h"

namespace tessera::lower {

/// Puts a barrier before each tile statement (a loop over threads, with all inside it) that reads what
/// another one has written to shared memory since the last barrier, or writes what another has read or
/// written; around loops too.
///
///   for k0 { threads: A.s = ...; threads: C += A.s }
///   ->  for k0 { barrier; threads: A.s = ...; barrier; threads: C += A.s }   (the first: A.s of the round before)
///
/// Needs the tile program; slots of pipelines have their barriers already. Refuses a tile statement that
/// reads what it writes to shared memory itself.
Result<ir::Program> insert_barriers(const ir::Program& program, const Options& options);

}  // namespace tessera::lower
