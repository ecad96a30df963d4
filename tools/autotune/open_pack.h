// A pack as commands read it.
#pragma once

#include <string>

#include "search/pack.h"

namespace tessera::autotune {

struct OpenPack {
  tuning_logs::Pack pack;
  search::Task task;
};

/// Says on stderr how many of its lines are damaged. UserError (exit code 1) for a file that is no pack, or none of a CUDA
/// target that this version reads.
OpenPack open_pack(const std::string& path);

}  // namespace tessera::autotune
