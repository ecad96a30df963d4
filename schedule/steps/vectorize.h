#pragma once

#include <string>
#include <vector>

#include "schedule/plan.h"
#include "schedule/state.h"

namespace tessera::schedule {

/// Runs the iterations of a data loop as the lanes of vector values.
///
/// Refuses: a reduction loop (rfactor it first), extents above 64 (split first), a loop with another
/// stage computed inside it, a second vector loop in the stage, a marked loop.
struct Vectorize {
  static constexpr const char* kName = "vectorize";
  std::string stage;
  std::string axis;
  static constexpr auto fields() {
    return std::tuple{field("stage", &Vectorize::stage), field("axis", &Vectorize::axis)};
  }
  Result<State> apply(const State& state) const;
  bool operator==(const Vectorize&) const = default;
};

}  // namespace tessera::schedule
