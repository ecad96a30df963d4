#pragma once

#include <string>
#include <vector>

#include "schedule/plan.h"
#include "schedule/state.h"

namespace tessera::schedule {

/// Undoes compute_at and store_at: the whole stage runs in a nest of its own.
struct ComputeRoot {
  static constexpr const char* kName = "compute_root";
  std::string stage;
  static constexpr auto fields() {
    return std::tuple{field("stage", &ComputeRoot::stage)};
  }
  Result<State> apply(const State& state) const;
  bool operator==(const ComputeRoot&) const = default;
};

}  // namespace tessera::schedule
