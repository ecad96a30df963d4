#pragma once

#include <string>

#include "schedule/plan.h"
#include "schedule/state.h"

namespace tessera::schedule {

/// Brings near what a loop's iteration `distance` further on will touch of a tensor.
///
///   for i:                          for i:
///     C[i] = B[idx] + ...    ->       prefetch B[idx with i + 2]         prefetch B at C.i, distance 2
///                                     C[i] = B[idx] + ...
///
/// One hint a 64-byte line of the box that an iteration reads of `tensor` (an input or a stage at root);
/// with `write` of what it writes of the stage itself. `locality` 3 keeps the line in all caches, 0 in
/// the nearest alone. Hints may point past the tensor: they never fault. Refuses: a loop in or of
/// lanes, a tensor that is not touched there or not kept at root, indices that are no sums of loops,
/// more than 64 lines an iteration.
struct Prefetch {
  static constexpr const char* kName = "prefetch";
  std::string stage;
  std::string axis;
  std::string tensor;
  Param distance;
  int locality = 3;
  bool write = false;
  static constexpr auto fields() {
    return std::tuple{field("stage", &Prefetch::stage), field("axis", &Prefetch::axis), field("tensor", &Prefetch::tensor),
                      field("distance", &Prefetch::distance), defaulted("locality", &Prefetch::locality),
                      defaulted("write", &Prefetch::write)};
  }
  Result<State> apply(const State& state) const;
  bool operator==(const Prefetch&) const = default;
};

}  // namespace tessera::schedule
