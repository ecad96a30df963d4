// Candidates for a pack: chosen over all sketches of a task, compiled, and a log of them once measured.
#pragma once

#include <functional>
#include <vector>

#include "search/candidate.h"
#include "search/task.h"
#include "tuning_logs/pack.h"

namespace tessera::search {

/// The default plan, then distinct points, as many from each sketch as it has; `count` in all unless the
/// spaces are smaller. The same seed gives the same ones.
std::vector<Candidate> spread_candidates(const Task& task, int count, std::uint64_t seed);

/// Compiles on `jobs` threads. `done` gets each in the order of `candidates`, one at a time; `stop` is asked
/// before each.
void build_candidates(const Task& task, const std::vector<Candidate>& candidates, int jobs,
                      const std::function<void(tuning_logs::PackedCandidate)>& done, const std::function<bool()>& stop);

/// The task of a pack again; refuses a program or target that this version does not read.
Result<Task> task_of(const tuning_logs::PackHeader& header);

}  // namespace tessera::search
