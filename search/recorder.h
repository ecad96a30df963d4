// Measures points of a space for keeps (search/recording.h).
#pragma once

#include <functional>

#include "search/candidate.h"
#include "search/recording.h"

namespace tessera::search {

struct RecorderOptions {
  int points = 200;     // of all sketches together
  double bred = 0.5;    // share of them that are mutations of the fastest so far; the others are random
  bool dense = false;   // every point of the space, thinned evenly until it has at most `points`
  int passes = 1;       // over all points, each in a new random order
  int samples = 3;      // times kept a point and pass
  std::uint64_t seed = 1;
};

/// `tool` is the writer's name and version. Random points are the same number from each sketch,
/// as far as it has them; bred ones are there because what a model has to tell apart later is mostly good
/// points.
Recording record_space(const Task& task, const RecorderOptions& options, const std::string& tool, Measurer& measurer,
                       const std::function<void(int done, int of)>& progress);

}  // namespace tessera::search
