#pragma once

#include <string>
#include <vector>

#include "schedule/plan.h"
#include "schedule/state.h"

namespace tessera::schedule {

/// Initialises a reduction just outside the named loop rather than just outside its outermost
/// reduction loop. Refuses: a loop inside a reduction loop, a stage that does not reduce.
struct DecomposeReduction {
  static constexpr const char* kName = "decompose_reduction";
  std::string stage;
  std::string axis;
  static constexpr auto fields() {
    return std::tuple{field("stage", &DecomposeReduction::stage), field("axis",
                          &DecomposeReduction::axis)};
  }
  Result<State> apply(const State& state) const;
  bool operator==(const DecomposeReduction&) const = default;
};

}  // namespace tessera::schedule
