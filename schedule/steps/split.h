#pragma once

#include <string>
#include <vector>

#include "schedule/plan.h"
#include "schedule/state.h"

namespace tessera::schedule {

/// Replaces a loop by factors.size() + 1 nested ones; `into` names them, outermost first.
///
///   for i in 0..10:                 for i0 in 0..3:
///     C[i] = ...             ->       for i1 in 0..min(4, 10 - 4*i0):     split i into i0, i1 by 4
///                                       C[i0*4 + i1] = ...
///
/// `tail` says how counts that do not divide are realised at the end of lowering: `partition` (copies
/// with constant counts), `guard` (every iteration tested), `pad` (the stage's own buffer grows to
/// whole tiles and the rest is filled with zero). Stages computed at the loop move to its innermost
/// piece. Refuses: a factor below 1, a loop that is vectorised, unrolled, parallel or outlined.
struct Split {
  static constexpr const char* kName = "split";
  std::string stage;
  std::string axis;
  std::vector<std::string> into;
  std::vector<Param> factors;
  ir::Tail tail = ir::Tail::kPartition;
  static constexpr auto fields() {
    return std::tuple{field("stage", &Split::stage), field("axis", &Split::axis), field("into",
                          &Split::into), field("factors", &Split::factors), defaulted("tail",
                          &Split::tail)};
  }
  Result<State> apply(const State& state) const;
  bool operator==(const Split&) const = default;
};

}  // namespace tessera::schedule
