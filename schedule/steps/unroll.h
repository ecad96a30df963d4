#pragma once

#include <string>
#include <vector>

#include "schedule/plan.h"
#include "schedule/state.h"

namespace tessera::schedule {

/// Repeats the body once an iteration instead of looping. Refuses: extents above 512, a marked loop.
struct Unroll {
  static constexpr const char* kName = "unroll";
  std::string stage;
  std::string axis;
  static constexpr auto fields() {
    return std::tuple{field("stage", &Unroll::stage), field("axis", &Unroll::axis)};
  }
  Result<State> apply(const State& state) const;
  bool operator==(const Unroll&) const = default;
};

}  // namespace tessera::schedule
