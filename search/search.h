// The measuring loop: batches of proposals, a record for each trial, a final comparison of the best.
//
// Batch b depends only on (seed, task, b) and on the trials of batches <= b-2: batch b+1 is proposed
// while batch b is measured, so the model's time is off the critical path, and the same seed and log
// give the same proposals whatever the thread count and timings.
#pragma once

#include <functional>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "search/contest.h"
#include "search/polyhedral_path.h"
#include "search/proposer.h"
#include "search/rules/sketch_builder.h"

namespace tessera::search {

struct SearchOptions {
  int trials = 64;        // in all, earlier ones of a resumed log included
  std::uint64_t seed = 1;
  int batch_size = 8;
  int finalists = kFinalists;  // re-measured in turns at the end
  int patience = 0;       // stop after that many batches with an expected gain under 0.5 %; 0: never
  int jobs = 1;           // threads that score candidates
  bool default_first = true;  // the first trial is the default plan, so that tuning never makes slower
  Path path = Path::kSearch;
  std::vector<PlannedSketch> planned = {};  // a person's, besides those of `path`
  bool use_draft = true, use_prior = true, use_model = true;
  driver::VerifyWhen verify = driver::VerifyWhen::kBest;
  Verifier verifier = nullptr;  // nullptr: driver::verify
  bool use_evolution = false;  // no better than a wide pool (docs/decisions/0007-evolution-off.md)
  std::shared_ptr<const cost_model::Prior> prior = nullptr;  // may be null
  std::optional<cost_model::Machine> machine = std::nullopt;  // that times come from; nullopt: this one
  std::vector<Rule> rules = {};                         // asked before the builtin ones
};

struct SearchResult {
  Progress progress;
  int rejected = 0;              // proposals that failed to replay: must stay 0
  std::optional<Trial> best;     // from the final comparison
  bool stopped = false;          // by the caller before all trials were done
  bool settled = false;          // by `patience`
  int planned = 0;               // trials of the polyhedral path
  std::optional<polyhedral::Verdict> proof = std::nullopt;  // of the best; nullopt: not asked for
};

struct SearchHooks {
  std::function<void(const Trial&)> trial;           // after every measurement, before the next
  std::function<void(const Trial&)> final_trial;     // after the final comparison, best first
  std::function<void(const Progress&)> progress;
  std::function<bool()> stop = [] { return false; };
};

class Search {
 public:
  /// The sketches of `options.path`; what the polyhedral path planned is measured first. UserError (exit code 3) where it
  /// is asked for alone and cannot plan the program.
  Search(const Task& task, SearchOptions options);
  /// With sketches of the caller's: a recorded space, a part of the usual one.
  Search(const Task& task, std::vector<Sketch> sketches, SearchOptions options);
  Search(const Search&) = delete;

  const std::vector<Sketch>& sketches() const { return sketches_; }
  /// Takes in a trial of an earlier run of the same task and seed.
  void remember(const Trial& t);
  /// Starts from a point that served a similar task: its sketch by name, its holes at their nearest values.
  void suggest(const std::string& sketch, const Decisions& decisions);
  /// All batches and the final comparison.
  SearchResult run(Measurer& measurer, const SearchHooks& hooks);
  /// One batch, for a caller that has other tasks to tune in between. False: nothing is left to do (all
  /// trials done, the space used up, settled by patience, stopped).
  bool step(Measurer& measurer, const SearchHooks& hooks);
  /// The final comparison, after the last step.
  SearchResult finish(Measurer& measurer, const SearchHooks& hooks);
  const Progress& progress() const { return contest_.progress(); }

  /// The proposals of a batch, without those that earlier batches made; batches are asked for in
  /// order. Batch 0 starts with the default plan.
  std::vector<Candidate> propose(int batch);
  /// Hands in the trials of a batch, in the order of its slots.
  void complete(int batch, std::vector<Trial> trials);
  int rejected() const { return proposer_.rejected() + rejected_; }

 private:
  Search(const Task& task, const std::vector<PlannedSketch>& planned, SearchOptions options);
  void learn_until(int batch);
  void measure_batch(const std::vector<Candidate>& batch, Measurer& measurer, const SearchHooks& hooks);

  Task task_;
  SearchOptions options_;
  std::vector<Sketch> sketches_;
  Proposer proposer_;
  std::map<std::pair<int, int>, Trial> known_;  // by (batch, slot), from an earlier run
  std::mutex completed_mutex_;  // batches complete while the next one is proposed
  std::map<int, std::vector<Trial>> completed_;
  int learned_batches_ = 0;
  int asked_ = 0;                               // proposals so far
  std::optional<double> expected_gain_;         // of the newest proposal
  int batch_ = 0;                               // the next one to measure
  int calm_ = 0;                                // batches in a row without much to expect
  bool stopped_ = false, settled_ = false;
  double wall_before_step_ = 0;                 // seconds of earlier steps, less the start of this one
  std::vector<Candidate> next_;                 // proposed, not measured
  Contest contest_;
  int rejected_ = 0;
};

}  // namespace tessera::search
