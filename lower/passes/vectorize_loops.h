#pragma once

#include "lower/lower.h"

namespace tessera::lower {

/// Replaces vector loops by vector values: the loop variable becomes lanes, conditions on it become
/// masks, reads of stride one become vector reads. Counts that are no power of two run in the next
/// one with the extra lanes masked. Needs flat buffers and no unrolled loop left.
Result<ir::Program> vectorize_loops(const ir::Program& program, const Options& options);

}  // namespace tessera::lower
