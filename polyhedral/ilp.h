// Shared loops by ISL's scheduler: one more candidate beside align.h, which it does not replace. It sees all
// dependences of a group of stages at once and solves integer programs for its loops, in milliseconds or in
// hours; so it has a limit, and a group that it does not schedule within it is split.
//
//   IlpAlignment a = ilp_alignment(scop).or_throw();
//   cpu_steps(dag, a.alignment, target)
#pragma once

#include <chrono>
#include <string>
#include <vector>

#include "polyhedral/align.h"

namespace tessera::polyhedral {

struct IlpOptions {
  /// kMax: all stages of a group in one integer program a loop; kKeepParallel: stages join one after the other, as
  /// long as no parallel loop is lost; kMin: only stages that depend on each other both ways share loops.
  Grouping grouping = Grouping::kKeepParallel;
  std::chrono::milliseconds limit{1'000};  // of wall-clock time, for everything
};

struct IlpAlignment {
  Alignment alignment;
  /// What was not taken from ISL's schedule, a line each: groups that it did not schedule within the limit, whose
  /// loops are then those of align(), and rows that are no coordinate of every stage.
  std::vector<std::string> notes;
};

/// The outermost parallel rows of ISL's schedule that are one coordinate of every stage, at the same offset: what
/// an Alignment can say. Skewed and shifted rows are left out. Refuses when the limit is over before the dependences
/// between stages are known.
Result<IlpAlignment> ilp_alignment(const Scop& scop, const IlpOptions& options = {});

}  // namespace tessera::polyhedral
