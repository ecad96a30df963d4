#pragma once

#include "lower/lower.h"

namespace tessera::lower {

/// Replaces unrolled loops by copies of their body, a varying count by a test around each copy, and
/// `@unroll=n` serial loops by a loop of n copies and a remainder. Needs partition_tails before it.
Result<ir::Program> unroll_loops(const ir::Program& program, const Options& options);

}  // namespace tessera::lower
