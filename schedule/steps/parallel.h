#pragma once

#include <string>
#include <vector>

#include "schedule/plan.h"
#include "schedule/state.h"

namespace tessera::schedule {

/// Runs the iterations of a data loop on the host's threads.
///
/// Refuses: a reduction loop (its iterations write the same element), a loop inside another parallel
/// or vector loop, a loop inside which a stage that is stored outside is computed, a marked loop.
struct Parallel {
  static constexpr const char* kName = "parallel";
  std::string stage;
  std::string axis;
  static constexpr auto fields() {
    return std::tuple{field("stage", &Parallel::stage), field("axis", &Parallel::axis)};
  }
  Result<State> apply(const State& state) const;
  bool operator==(const Parallel&) const = default;
};

}  // namespace tessera::schedule
