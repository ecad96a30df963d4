// Plans without choices (driver::default_plan), one function a kind of target.
#pragma once

#include <string>

#include "dsl/dag.h"
#include "ir/target.h"
#include "schedule/state.h"
#include "schedule/step.h"

namespace tessera::driver::detail {

/// A plan in the making: what is legal is applied, the rest is left out.
struct PlanDraft {
  schedule::State state;
  schedule::StepList steps;

  /// Whether the step was legal.
  bool step(schedule::Step s);
  /// Substitutes elementwise stages that are read at one place: that moves work, it does not repeat it.
  void inline_cheap(const dsl::ComputeDag& dag);
};

/// The plan of unscheduled stages.
PlanDraft empty_draft(const dsl::ComputeDag& dag);

/// The last data axis in vectors, reductions through vector registers.
schedule::StepList default_cpu_plan(const dsl::ComputeDag& dag, const ir::Target& target);
/// A thread for each element, 256 a block; reductions are summed up in a register.
schedule::StepList default_cuda_plan(const dsl::ComputeDag& dag);

}  // namespace tessera::driver::detail
