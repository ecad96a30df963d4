// The proof that a plan computes its program, over the loops that its lowering makes.
#pragma once

#include "driver/compile.h"
#include "polyhedral/verify.h"

namespace tessera::driver {

/// When a tuning run or a replay asks for the proof.
enum class VerifyWhen : std::uint8_t {
  kAlways,  // of every candidate that ran correctly
  kBest,    // before a candidate becomes the best
  kNever,
};
inline std::vector<const char*> enum_names(VerifyWhen) { return {"always", "best", "never"}; }

/// Refuses a plan that does not replay. For CUDA the loops are judged twice: at the cut, and pipelined and with
/// their barriers.
Result<polyhedral::Verdict> verify(const dsl::ComputeDag& dag, const schedule::Plan& plan, const ir::Target& target,
                                   const polyhedral::VerifyOptions& options = {});

}  // namespace tessera::driver
