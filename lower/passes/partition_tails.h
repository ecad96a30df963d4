#pragma once

#include "lower/lower.h"

namespace tessera::lower {

/// Gives varying trip counts and border conditions constant answers by copies of the loop body.
///
///   for i0 in 0..3:                                  for i0 in 0..2:
///     for i1 in 0..min(4, 10 - 4*i0): ...      ->      for i1 in 0..4: ...
///                                                    for i1 in 0..2: ...        (i0 = 2)
///
/// Serial loops are cut into ranges, parallel ones branch inside. Copies multiply, so at most
/// ir::kMaxCopies of a statement are made. A loop beyond gets one more, for all but its widest range,
/// which is told apart inside; there counts stay varying and conditions are asked. Needs plain
/// statements; runs before unrolling so that each range is unrolled to its own constant count.
Result<ir::Program> partition_tails(const ir::Program& program, const Options& options);

}  // namespace tessera::lower
