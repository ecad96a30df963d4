// The measuring loop: batches of proposals, a record for each trial, a final comparison of the best.
//
// Batch b depends only on (seed, task, b) and on what earlier batches proposed, so the same seed and
// log give the same proposals whatever the thread count and timings.
#pragma once

#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "search/candidate.h"

namespace tessera::search {

struct SearchOptions {
  int trials = 64;        // in all, earlier ones of a resumed log included
  std::uint64_t seed = 1;
  int batch_size = 8;
  int finalists = 5;      // re-measured in turns at the end
};

struct Progress {
  int trials = 0, wanted = 0, ok = 0;
  std::map<std::string, int> failed;  // by status
  std::int64_t best_ns = 0;           // 0: none yet
  double probe_gflops = 0;            // at the best
  double wall_seconds = 0, search_seconds = 0;
};

struct SearchResult {
  Progress progress;
  int rejected = 0;              // proposals that failed to replay: must stay 0
  std::optional<Trial> best;     // from the final comparison
  bool stopped = false;          // by the caller before all trials were done
};

struct SearchHooks {
  std::function<void(const Trial&)> trial;           // after every measurement, before the next
  std::function<void(const Trial&)> final_trial;     // after the final comparison, best first
  std::function<void(const Progress&)> progress;
  std::function<bool()> stop = [] { return false; };
};

class Search {
 public:
  Search(const Task& task, SearchOptions options);

  const std::vector<Sketch>& sketches() const { return sketches_; }
  /// Takes in a trial of an earlier run of the same task and seed.
  void remember(const Trial& t);
  SearchResult run(Measurer& measurer, const SearchHooks& hooks);

  /// The proposals of a batch, without those that earlier batches made. Batch 0 starts with the
  /// default plan.
  std::vector<Candidate> propose(int batch);

 private:
  std::optional<Candidate> draw(int batch, int slot);
  void note(const Trial& t);

  Task task_;
  SearchOptions options_;
  std::uint64_t task_hash_;
  std::vector<Sketch> sketches_;
  std::set<std::string> proposed_;  // sketch and decisions as text
  std::map<std::pair<int, int>, Trial> known_;  // by (batch, slot), from an earlier run
  std::vector<Trial> ok_;
  Progress progress_;
  int rejected_ = 0;
};

}  // namespace tessera::search
