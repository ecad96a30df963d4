// Measures points of a space for keeps (search/recording.h).
#pragma once

#include <functional>

#include "search/candidate.h"
#include "search/recording.h"

namespace tessera::search {

struct RecorderOptions {
  int points = 200;     // of all sketches together
  bool dense = false;   // every point of the space, thinned evenly until it has at most `points`
  int passes = 1;       // over all points, each in a new random order
  int samples = 3;      // times kept a point and pass
  std::uint64_t seed = 1;
};

/// `tool` is the writer's name and version. Without `dense` half of the points are drawn at random,
/// the same number from each sketch as far as it has them, and half are mutations of the fastest so far:
/// what a model has to tell apart later is mostly good points.
Recording record_space(const Task& task, const RecorderOptions& options, const std::string& tool, Measurer& measurer,
                       const std::function<void(int done, int of)>& progress);

}  // namespace tessera::search
