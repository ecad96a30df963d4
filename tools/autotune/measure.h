// What the two ways of measuring a pack share.
#pragma once

#include "search/pack.h"
#include "tools/autotune/commands.h"

namespace tessera::autotune {

struct OpenPack {
  tuning_logs::Pack pack;
  search::Task task;
};

/// Times the kernels on this machine's first CUDA device into a log. UserError (exit code 4) where there is
/// none that runs them.
int run_on_device(const OpenPack& pack, const MeasureArgs& args);

}  // namespace tessera::autotune
