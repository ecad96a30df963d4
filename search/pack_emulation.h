// The kernels of a pack in the emulator, compared with the definition.
#pragma once

#include "search/contest.h"
#include "tuning_logs/pack.h"

namespace tessera::search {

struct PackEmulationOptions {
  int sample = 0;  // kernels, of each sketch in turn; 0: all that were compiled
  int jobs = 1;    // at a time
  std::uint64_t seed = 1;  // of the sample, the operands and the order of threads
  driver::VerifyWhen verify = driver::VerifyWhen::kBest;  // kBest: the kFinalists of the sample that come first in the pack
  Verifier verifier = nullptr;
};

struct EmulationCounts {
  int ok = 0, wrong = 0;
  int illegal = 0;  // proved wrong, and not run
  int refused = 0;  // could not be emulated
  std::vector<std::string> reasons;  // of the first few that are not ok
};

/// `stop` is asked before each kernel. UserError as runtime::emulator::emulate's.
EmulationCounts emulate_pack(const Task& task, const tuning_logs::Pack& pack, const PackEmulationOptions& options, const std::function<bool()>& stop);

}  // namespace tessera::search
