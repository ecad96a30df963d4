// What a log says about each of its tasks: how the search went, what failed, what mattered. Made from
// the records alone; nothing is compiled or run.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "tuning_logs/failures.h"
#include "tuning_logs/hole_importance.h"
#include "tuning_logs/log_file.h"

namespace tessera::tuning_logs {

struct SketchInsight {
  std::string name;  // empty: a person's plan
  int trials = 0, ok = 0;
  const Record* best = nullptr;       // fastest trial; null when none ran correctly
  std::vector<HoleImportance> holes;  // most important first
};

/// A program on a target and a number of threads.
struct TaskInsight {
  std::vector<const Record*> trials;    // in the order of the file
  std::vector<double> elapsed_seconds;  // of the search, after each trial: pauses between runs left out
  int ok = 0;                           // trials that ran correctly
  const Record* first = nullptr;        // any record of the task
  std::optional<Record> best;           // as best_record: finals come before trials
  std::vector<const Record*> finals;
  std::vector<FailureGroup> failures;
  std::vector<SketchInsight> sketches;  // the fastest first, those without a correct kernel last
  std::vector<HoleImportance> together; // over all sketches; empty when fewer than two ran correctly
};

/// One entry a task in the order of their first records. Points into `log`.
std::vector<TaskInsight> insights(const LogContents& log);

}  // namespace tessera::tuning_logs
