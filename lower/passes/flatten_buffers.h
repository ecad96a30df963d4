#pragma once

#include "lower/lower.h"

namespace tessera::lower {

/// Turns every access into one flat index through the buffer's layout. Runs before vectorisation,
/// which decides by the stride of the flat index whether an access is contiguous.
Result<ir::Program> flatten_buffers(const ir::Program& program, const Options& options);

}  // namespace tessera::lower
