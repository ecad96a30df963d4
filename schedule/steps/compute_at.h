#pragma once

#include <string>
#include <vector>

#include "schedule/plan.h"
#include "schedule/state.h"

namespace tessera::schedule {

/// Computes a stage inside a loop of a (transitive) consumer, just the box that is needed there.
///
///   for i: B[i] = ...               for i:
///   for i: C[i] = B[i] + 1   ->       B = ...
///                                     C[i] = B + 1                        compute B at C.i
///
/// Refuses: outputs of the program, inputs, a loop that does not enclose every reader.
struct ComputeAt {
  static constexpr const char* kName = "compute_at";
  std::string stage;
  std::string at;
  std::string axis;
  static constexpr auto fields() {
    return std::tuple{field("stage", &ComputeAt::stage), field("at", &ComputeAt::at),
                          field("axis", &ComputeAt::axis)};
  }
  Result<State> apply(const State& state) const;
  bool operator==(const ComputeAt&) const = default;
};

}  // namespace tessera::schedule
