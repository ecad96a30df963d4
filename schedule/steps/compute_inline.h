#pragma once

#include <string>
#include <vector>

#include "schedule/plan.h"
#include "schedule/state.h"

namespace tessera::schedule {

/// Substitutes the body of a stage for every read of it.
///
///   B[i] = A[i] * 2;  C[i] = B[i] + 1   ->   C[i] = A[i] * 2 + 1
///
/// Refuses: inputs, outputs, reductions, multi-output stages, a stage with another computed inside it.
struct ComputeInline {
  static constexpr const char* kName = "compute_inline";
  std::string stage;
  static constexpr auto fields() {
    return std::tuple{field("stage", &ComputeInline::stage)};
  }
  Result<State> apply(const State& state) const;
  bool operator==(const ComputeInline&) const = default;
};

}  // namespace tessera::schedule
