#pragma once

#include <string>
#include <vector>

#include "schedule/plan.h"
#include "schedule/state.h"

namespace tessera::schedule {

/// Makes the body of a loop a function of its own, compiled once and called. Refuses: vector loops and
/// loops inside one.
struct Outline {
  static constexpr const char* kName = "outline";
  std::string stage;
  std::string axis;
  static constexpr auto fields() {
    return std::tuple{field("stage", &Outline::stage), field("axis", &Outline::axis)};
  }
  Result<State> apply(const State& state) const;
  bool operator==(const Outline&) const = default;
};

}  // namespace tessera::schedule
