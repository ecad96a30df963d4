// Points of a task's space with measured times: what the prior is trained on, and what search quality
// is tested on without a machine. Self-contained (program, steps, limits), so data outlive the rules
// that made them.
//
// A file holds JSON lines: lists of steps, each once, then a line a task. Times are integers in
// nanoseconds, several a point in the order of measuring; a point without times failed.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "search/point.h"
#include "tuning_logs/record.h"

namespace tessera::search {

struct RecordedSketch {
  Sketch sketch;
  std::vector<Values> points;
  std::vector<std::vector<std::int64_t>> ns;  // by point
  bool operator==(const RecordedSketch&) const = default;
};

struct Recording {
  tuning_logs::Task task;
  std::string target;
  int threads = 1;
  tuning_logs::Machine machine;
  std::string date;  // UTC, "2026-11-21"
  std::vector<RecordedSketch> sketches;
  bool operator==(const Recording&) const = default;

  std::size_t points() const;
  /// The program, target and threads again; refuses what this version does not read.
  Result<Task> to_task() const;
};

/// Refuses a file that cannot be read or a line that is damaged, naming it.
Result<std::vector<Recording>> read_recordings(const std::string& path);
/// Replaces the file.
Status write_recordings(const std::string& path, const std::vector<Recording>& recordings);

/// At most `values` values of a hole, evenly spread over its domain.
Hole thinned(const Hole& h, std::size_t values);
/// All sketches with thinned domains, alike in all of them, so that they hold at most `points` points
/// together: values are added hole by hole while they fit. Sketches without a point are left out.
std::vector<Sketch> thinned_to(const std::vector<Sketch>& sketches, std::int64_t points);

}  // namespace tessera::search
