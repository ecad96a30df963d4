#pragma once

#include <string>
#include <vector>

#include "schedule/plan.h"
#include "schedule/state.h"

namespace tessera::schedule {

/// Keeps the buffer of a stage alive around an outer loop of the one it is computed at, so that it
/// covers all boxes computed inside. Refuses: a loop that does not enclose the place of computation,
/// or one with a parallel loop between (iterations would share the buffer).
struct StoreAt {
  static constexpr const char* kName = "store_at";
  std::string stage;
  std::string at;
  std::string axis;
  static constexpr auto fields() {
    return std::tuple{field("stage", &StoreAt::stage), field("at", &StoreAt::at), field("axis",
                          &StoreAt::axis)};
  }
  Result<State> apply(const State& state) const;
  bool operator==(const StoreAt&) const = default;
};

}  // namespace tessera::schedule
