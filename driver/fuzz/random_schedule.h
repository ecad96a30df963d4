// Random walks over all primitives, with the steps' own legality as the filter.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "schedule/step.h"
#include "support/rng.h"

namespace tessera::driver {

/// What a walk met, by step word.
struct WalkStatistics {
  std::map<std::string, std::int64_t> applied, refused;
  std::int64_t illegal_refused = 0;  // deliberately illegal ones
  std::vector<std::string> illegal_accepted;  // must stay empty: text of the step

  void add(const WalkStatistics& o);
};

struct Walk {
  schedule::StepList steps;
  schedule::State state;
};

/// Tries up to `attempts` steps; one in five is illegal on purpose.
Walk random_schedule(const schedule::State& initial, Rng& rng, int attempts, WalkStatistics& statistics);

/// The same over the steps of GPUs: most walks end in kernels of blocks and threads with tiles in shared memory
/// and registers. None is illegal on purpose.
Walk random_cuda_schedule(const schedule::State& initial, Rng& rng, int attempts, WalkStatistics& statistics);

}  // namespace tessera::driver
