#pragma once

#include <string>

#include "schedule/plan.h"
#include "schedule/state.h"

namespace tessera::schedule {

/// Keeps, from one iteration of the loop at which a stage is computed to the next, what both need.
///
///   for i:                           B lives outside the loop, 3 elements, used in turn
///     B[i .. i+3] = ...       ->     for i:
///     C[i] = B[i] + B[i+1]+B[i+2]      B[(i+2) % 3] = ...                  (all three when i is 0)
///                                      C[i] = B[i % 3] + B[(i+1) % 3] + B[(i+2) % 3]
///
/// Refuses: a stage that is not computed at a loop, or stored at another; a region that does not move
/// along that loop, moves in several dimensions, or goes back; a loop that is parallel, vector or
/// unrolled; register tiles; splits with tail `pad`.
struct RollingWindow {
  static constexpr const char* kName = "rolling_window";
  std::string stage;
  static constexpr auto fields() { return std::tuple{field("stage", &RollingWindow::stage)}; }
  Result<State> apply(const State& state) const;
  bool operator==(const RollingWindow&) const = default;
};

}  // namespace tessera::schedule
