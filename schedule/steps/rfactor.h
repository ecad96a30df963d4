#pragma once

#include <string>
#include <vector>

#include "schedule/plan.h"
#include "schedule/state.h"

namespace tessera::schedule {

/// Makes a loop of a reduction a data axis of a new stage of partial results.
///
///   C[i] = sum(A[i, k], k), k split by 8   ->   Cr[i, k1] = sum(A[i, k0*8 + k1], k0)
///                                               C[i] = sum(Cr[i, k1], k1)
///
/// `into` names the new stage; its new axis keeps the loop's name and comes last. Where the split does
/// not divide, missing terms are the identity. Refuses: a data loop, a stage that has another computed
/// at one of its reduction loops, a taken name.
struct Rfactor {
  static constexpr const char* kName = "rfactor";
  std::string stage;
  std::string axis;
  std::string into;
  static constexpr auto fields() {
    return std::tuple{field("stage", &Rfactor::stage), field("axis", &Rfactor::axis),
                          field("into", &Rfactor::into)};
  }
  Result<State> apply(const State& state) const;
  bool operator==(const Rfactor&) const = default;
};

}  // namespace tessera::schedule
