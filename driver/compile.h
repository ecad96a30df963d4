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

/// "cpu ..." or "cuda ..." with everything explicit: this machine's processor, its first device, or what
/// ir::kDefaultCudaArch names where there is none. UserError with exit code 2 for a wrong text.
ir::Target resolve_target(const std::string& text);

/// The state a plan leads to; refuses illegal steps.
Result<schedule::State> scheduled(const dsl::ComputeDag& dag, const schedule::Plan& plan);

/// Structured loops (before the cut is finished) and finished statements of a plan.
Result<ir::Program> structured_loops(const dsl::ComputeDag& dag, const schedule::Plan& plan, const ir::Target& target);
Result<ir::Program> finished_program(const dsl::ComputeDag& dag, const schedule::Plan& plan, const ir::Target& target);

/// Of the CUDA text of a finished program, as images keep it (ImageReport::source_hash); refuses what cannot be printed.
Result<std::uint64_t> source_hash(const ir::Program& finished);

/// Refuses a finished program for CUDA that the architecture could not launch, by what is known before it is
/// compiled. Done for CPU targets.
Status check_launchable(const ir::Program& finished, const ir::Target& target);

/// Machine code. For a CUDA target: UserError with exit code 4 where there is no NVRTC; what was compiled
/// before comes from the cache on disk.
Result<runtime::KernelImage> compile(const dsl::ComputeDag& dag, const schedule::Plan& plan, const ir::Target& target);

/// A plan without choices: every stage in a nest of its own, cheap elementwise stages inlined, the
/// last data axis in vectors; for CUDA a thread an element, sums in registers. What a program is certified with, and the first point of every search.
schedule::StepList default_plan(const dsl::ComputeDag& dag, const ir::Target& target);

/// Name under which kernels of a program are emitted: its own, made a C identifier.
std::string kernel_name(const dsl::ComputeDag& dag);

}  // namespace tessera::driver
