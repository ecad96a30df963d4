#pragma once

#include <string>
#include <vector>

#include "schedule/plan.h"
#include "schedule/state.h"

namespace tessera::schedule {

/// Keeps `slots` copies of a shared tile, so that the copy for an iteration is filled while earlier ones
/// are still read: the loop at which the stage is computed becomes a pipeline, slots - 1 tiles ahead.
///
///   for k0 { fill A.s; use A.s }  ->  fill A.s[0]; for k0 { fill A.s[(k0 + 1) % 2]; use A.s[k0 % 2] }
///
/// All pipelined stages of a loop have the same number of slots. Refuses: stages that are not in shared
/// memory, loops that do not run one iteration after the other.
struct Pipeline {
  static constexpr const char* kName = "pipeline";
  std::string stage;
  Param slots = 2;
  static constexpr auto fields() { return std::tuple{field("stage", &Pipeline::stage), field("slots", &Pipeline::slots)}; }
  Result<State> apply(const State& state) const;
  bool operator==(const Pipeline&) const = default;
};

}  // namespace tessera::schedule
