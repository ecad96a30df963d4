// The compiling road in one call: DAG and plan -> state -> loops -> image.
#pragma once

#include <string>

#include "dsl/dag.h"
#include "ir/program.h"
#include "ir/target.h"
#include "lower/lower.h"
#include "runtime/kernel_image.h"
#include "schedule/step.h"

namespace tessera::driver {

/// "cpu ..." with everything explicit; UserError with exit code 2 for a wrong text and 4 for a target
/// that has no compiler here (`cuda`).
ir::Target resolve_target(const std::string& text);

/// The state a plan leads to; refuses illegal steps.
Result<schedule::State> scheduled(const dsl::ComputeDag& dag, const schedule::Plan& plan);

/// Structured loops (before the cut is finished) and finished statements of a plan.
Result<ir::Program> structured_loops(const dsl::ComputeDag& dag, const schedule::Plan& plan, const ir::Target& target);
Result<ir::Program> finished_program(const dsl::ComputeDag& dag, const schedule::Plan& plan, const ir::Target& target);

Result<runtime::KernelImage> compile(const dsl::ComputeDag& dag, const schedule::Plan& plan, const ir::Target& target);

/// A plan without choices: every stage in a nest of its own, cheap elementwise stages inlined, the
/// last data axis in vectors. What a program is certified with, and the first point of every search.
schedule::StepList default_plan(const dsl::ComputeDag& dag, const ir::Target& target);

/// Name under which kernels of a program are emitted: its own, made a C identifier.
std::string kernel_name(const dsl::ComputeDag& dag);

}  // namespace tessera::driver
