// The search on a recorded space: no compiler, no kernel, no clock, so search quality is a test. All
// points of the space are recorded, a trial returns the smallest of three of a point's times (as a race
// would), and how good the search's best point is is judged by the smallest of all its times.
#pragma once

#include <cstdint>
#include <vector>

#include "search/recording.h"
#include "search/search.h"

namespace tessera::search {

/// Answers from a recording. Refuses nothing: a point without times fails as a crash.
class RecordedMeasurer : public Measurer {
 public:
  RecordedMeasurer(const Recording& recording, std::uint64_t seed);

  std::vector<Trial> measure(const std::vector<Candidate>& batch, std::int64_t incumbent_ns, const std::function<void(const Trial&)>& done,
                             const std::function<bool()>& stop) override;
  std::vector<Trial> remeasure(const std::vector<Trial>& best) override { return best; }

  /// The smallest time of any point.
  std::int64_t optimum() const { return optimum_; }
  /// The smallest time of the candidate's point; 0 when it has none.
  std::int64_t truth(const Candidate& c) const;

 private:
  const std::vector<std::int64_t>* times_of(const Candidate& c) const;

  std::map<std::string, const RecordedSketch*> sketches_;
  std::map<std::pair<std::string, Values>, const std::vector<std::int64_t>*> times_;
  std::uint64_t seed_;
  std::int64_t optimum_ = 0;
};

struct SimulationResult {
  /// Trials until the true time of the incumbent reached 95, 97 and 99 % of the optimum; `trials` + 1
  /// when it did not.
  int to_95 = 0, to_97 = 0, to_99 = 0;
  std::vector<double> share;  // optimum / true time of the incumbent, after each trial
};

/// One search of `options.trials` trials. Neither the default plan nor the final comparison take part.
SimulationResult simulate(const Recording& recording, const Task& task, SearchOptions options);

}  // namespace tessera::search
