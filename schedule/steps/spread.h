#pragma once

#include <string>
#include <vector>

#include "schedule/plan.h"
#include "schedule/state.h"

namespace tessera::schedule {

/// Splits a loop over as many threads as another stage has: the threads that compute a tile fetch it
/// together, however many they are.
///
///   C.acc has 16 x 8 threads; spread(A.s, t -> t0 t1, like C.acc):   t -> t0, t1 (128, thread.x)
///
/// Refuses: loops with a mark, a stage without loops over threads.
struct Spread {
  static constexpr const char* kName = "spread";
  std::string stage;
  std::string axis;
  std::vector<std::string> into;  // loop of a thread, loop over threads
  std::string like;
  static constexpr auto fields() {
    return std::tuple{field("stage", &Spread::stage), field("axis", &Spread::axis), field("into", &Spread::into), field("like", &Spread::like)};
  }
  Result<State> apply(const State& state) const;
  bool operator==(const Spread&) const = default;
};

}  // namespace tessera::schedule
