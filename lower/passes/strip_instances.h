#pragma once

#include "lower/lower.h"

namespace tessera::lower {

/// Removes Instance nodes: past the cut nobody asks for original coordinates. First, so that the other
/// passes see plain statements.
Result<ir::Program> strip_instances(const ir::Program& program, const Options& options);

}  // namespace tessera::lower
