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
///   for i in 0..16: for j in 0..8: for k in 0..16: C[i, j] += f32(A[i, k]) * f32(B[k, j])
///     ->  for i.lane in 0..32 lane: for k in 0..16: for i.half in 0..2: for j.one in 0..2:
///           C[8 * i.half + i.lane // 4, 2 * (i.lane % 4) + j.one] += ...   (cuda.mma.m16n8k16.f16)
///
/// Of a warp's product (ir/mma.h), every lane gets the sums that it holds of the fragment: those are the
/// loops' meaning; lowering makes one instruction of them (lower/passes/tensorize_loops.h).
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
