// What was measured of one task: judged, counted, and the best compared at the end. A search and the measuring of a pack
// run the same contest.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "driver/verify.h"
#include "search/candidate.h"
#include "search/task.h"

namespace tessera::search {

/// Judges the loops of a plan.
using Verifier = std::function<Result<polyhedral::Verdict>(const dsl::ComputeDag&, const schedule::Plan&, const ir::Target&)>;

/// What the verifier says of a plan; one that it cannot lower is unknown. `verifier` nullptr: driver::verify.
polyhedral::Verdict verdict_of(const Task& task, const schedule::Plan& plan, const Verifier& verifier);

inline constexpr int kFinalists = 5;

/// How many of `count` plans are proved where nothing is timed: with kBest those that are ranked first.
std::size_t proved_first(driver::VerifyWhen when, std::size_t count);

struct ContestOptions {
  int finalists = kFinalists;  // re-measured in turns at the end
  driver::VerifyWhen verify = driver::VerifyWhen::kBest;
  Verifier verifier = nullptr;
};

struct Progress {
  int trials = 0, wanted = 0, ok = 0;
  std::map<std::string, int> failed;  // by status
  std::int64_t best_ns = 0;           // 0: none yet
  double probe_gflops = 0;            // at the best
  double wall_seconds = 0;
  double search_seconds = 0;  // the measurer waited for proposals
  double model_seconds = 0;   // features, fitting and scoring, mostly while kernels were measured
  std::optional<double> expected_gain;  // of the newest batch
};

class Contest {
 public:
  Contest(const Task& task, ContestOptions options);

  /// The trial, failed as illegal where the verifier finds it so: asked as options.verify says. Counted.
  Trial enter(Trial t);
  /// Measures the best in turns; `final_trial` gets them, best first. A `stopped` run's best stands as it was measured.
  std::optional<Trial> final_comparison(Measurer& measurer, const std::function<void(const Trial&)>& final_trial, bool stopped);
  /// Of a trial that ran correctly; kept. nullptr: nothing is asked.
  const polyhedral::Verdict* proof_of(const Trial& t);

  const std::vector<Trial>& ok() const { return ok_; }
  Progress& progress() { return progress_; }
  const Progress& progress() const { return progress_; }

 private:
  Trial judged(Trial t);
  void keep_legal_finalists();

  Task task_;
  ContestOptions options_;
  std::vector<Trial> ok_;
  std::map<int, polyhedral::Verdict> proofs_;  // by trial
  Progress progress_;
};

}  // namespace tessera::search
