#pragma once

#include <string>
#include <vector>

#include "schedule/plan.h"
#include "schedule/state.h"

namespace tessera::schedule {

/// Moves the computation of a stage to a new one; the stage itself becomes a copy of it.
///
///   C[i] = sum(A[i, k], k)   ->   Cc[i] = sum(A[i, k], k);  C[i] = Cc[i]
///
/// Refuses: a stage that is already split, fused or placed, inputs, a taken name.
struct CacheWrite {
  static constexpr const char* kName = "cache_write";
  std::string stage;
  std::string into;
  ir::Scope scope = ir::Scope::kGlobal;
  static constexpr auto fields() {
    return std::tuple{field("stage", &CacheWrite::stage), field("into", &CacheWrite::into),
                          defaulted("scope", &CacheWrite::scope)};
  }
  Result<State> apply(const State& state) const;
  bool operator==(const CacheWrite&) const = default;
};

}  // namespace tessera::schedule
