#pragma once

#include <string>
#include <vector>

#include "schedule/plan.h"
#include "schedule/state.h"

namespace tessera::schedule {

/// Runs the named innermost loops as one row of the table of intrinsics (schedule/intrinsics.h).
///
///   for i in 0..6: for j in 0..64: C[i, j] += A[i, k] * B[k, j]
///     ->  6 x 4 vector accumulators of 16 lanes, one fused multiply-add each  (cpu.fma.f32x16)
///
/// Refuses: an unknown intrinsic, loops or a body that do not match the row; says which part.
struct Tensorize {
  static constexpr const char* kName = "tensorize";
  std::string stage;
  std::vector<std::string> axes;
  std::string intrinsic;
  ir::Tail tail = ir::Tail::kPartition;
  static constexpr auto fields() {
    return std::tuple{field("stage", &Tensorize::stage), field("axes", &Tensorize::axes),
                          field("intrinsic", &Tensorize::intrinsic), defaulted("tail",
                          &Tensorize::tail)};
  }
  Result<State> apply(const State& state) const;
  bool operator==(const Tensorize&) const = default;
};

}  // namespace tessera::schedule
