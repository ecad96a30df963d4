#pragma once

#include <string>
#include <vector>

#include "schedule/plan.h"
#include "schedule/state.h"

namespace tessera::schedule {

/// Replaces adjacent nested loops by one.
///
///   for i in 0..4:                  for f in 0..24:
///     for j in 0..6:         ->       C[f // 6, f % 6] = ...              fuse i, j into f
///       C[i, j] = ...
///
/// Refuses: loops that are not neighbours in this order, a data loop with a reduction loop, a marked
/// loop. Stages computed at one of the loops move to the fused one.
struct Fuse {
  static constexpr const char* kName = "fuse";
  std::string stage;
  std::vector<std::string> axes;
  std::string into;
  static constexpr auto fields() {
    return std::tuple{field("stage", &Fuse::stage), field("axes", &Fuse::axes), field("into",
                          &Fuse::into)};
  }
  Result<State> apply(const State& state) const;
  bool operator==(const Fuse&) const = default;
};

}  // namespace tessera::schedule
