// One point that is built and measured, and what became of it.
#pragma once

#include <functional>
#include <vector>

#include "runtime/measurement.h"
#include "search/sketch.h"

namespace tessera::search {

struct Candidate {
  int trial = 0;  // counted over the whole log of a task
  int batch = 0;
  int slot = 0;
  std::string sketch;
  Decisions decisions;
  schedule::StepList steps;  // without holes
};

struct Trial {
  Candidate candidate;
  runtime::Measurement measurement;
  double compile_ms = 0;
  std::uint64_t object_hash = 0;

  bool ok() const { return measurement.ok(); }
};

/// Builds and measures. The search knows no more of machines than this, so tests give it a fake.
class Measurer {
 public:
  virtual ~Measurer() = default;
  /// One trial a candidate, in order; `done` is called after each. `incumbent_ns` 0: none yet.
  /// `stop` is asked between candidates: the rest of the batch is then left out.
  virtual std::vector<Trial> measure(const std::vector<Candidate>& batch, std::int64_t incumbent_ns,
                                     const std::function<void(const Trial&)>& done, const std::function<bool()>& stop) = 0;
  /// The same kernels timed in turns, many samples each.
  virtual std::vector<Trial> remeasure(const std::vector<Trial>& best) = 0;
};

}  // namespace tessera::search
