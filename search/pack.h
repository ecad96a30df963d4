// Candidates for a pack: chosen over all sketches of a task, compiled, and a log of them once measured.
#pragma once

#include <functional>
#include <vector>

#include "search/contest.h"
#include "search/polyhedral_path.h"
#include "tuning_logs/log_file.h"
#include "tuning_logs/pack.h"

namespace tessera::search {

struct PackOptions {
  int count = 64;
  std::uint64_t seed = 1;
  int jobs = 1;  // threads that score
  Path path = Path::kSearch;
  std::vector<PlannedSketch> planned = {};  // a person's, besides those of `path`
};

/// What is worth measuring next, best first: distinct points that are not in `measured`, ordered by the
/// draft and by what the measured ones teach. Where nothing is measured the default plan comes first, then what a person
/// planned and the polyhedral path, if `path` has it, and a quarter are drawn evenly over the sketches. Trials are numbered from the last measured one on; fewer than
/// `count` where the spaces are smaller. The same seed and trials give the same ones.
std::vector<Candidate> pack_candidates(const Task& task, const PackOptions& options, const std::vector<Trial>& measured);

/// The trials of a log that are of this task and its target, whatever their seed.
std::vector<Trial> trials_of(const Task& task, const tuning_logs::LogContents& log);

struct BuildOptions {
  int jobs = 1;  // threads that prove and compile
  driver::VerifyWhen verify = driver::VerifyWhen::kBest;  // kBest: the kFinalists first ones
  Verifier verifier = nullptr;
};

/// Compiles candidates; one that the verifier finds illegal is not compiled. `done` gets each in the order of
/// `candidates`, one at a time; `stop` is asked before each.
void build_candidates(const Task& task, const std::vector<Candidate>& candidates, const BuildOptions& options,
                      const std::function<void(tuning_logs::PackedCandidate)>& done, const std::function<bool()>& stop);

/// The task of a pack again; refuses a program or target that this version does not read, and targets other than CUDA's.
Result<Task> task_of(const tuning_logs::PackHeader& header);

}  // namespace tessera::search
