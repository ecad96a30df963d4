// One of the two ways of measuring a pack.
#pragma once

#include "tools/autotune/commands.h"
#include "tools/autotune/open_pack.h"

namespace tessera::autotune {

/// Times the kernels on this machine's first CUDA device into a log. UserError (exit code 4) where there is
/// none that runs them.
int run_on_device(const OpenPack& pack, const MeasureArgs& args);

}  // namespace tessera::autotune
