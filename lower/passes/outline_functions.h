#pragma once

#include "lower/lower.h"

namespace tessera::lower {

/// Makes the bodies of outlined loops functions of the program; equal bodies share one. Last, so that
/// what is shared is what will be compiled.
Result<ir::Program> outline_functions(const ir::Program& program, const Options& options);

}  // namespace tessera::lower
