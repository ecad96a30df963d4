// Shared loops as schedule steps for CPUs, without measuring: what the polyhedral path decides goes through the same
// lowering, verifier, logs and export as what a person or the search writes.
//
// In every nest the shared loops stand outside, the first of them parallel; its other stages are computed inside
// of them, in tiles where windows slide. Vectors run along the last axis of a stage, or, where only the
// reduction reads contiguous memory, along that (rfactor); products are summed up in registers.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "ir/target.h"
#include "polyhedral/align.h"
#include "polyhedral/decisions.h"
#include "schedule/step.h"

namespace tessera::polyhedral {

struct CpuStepsOptions {
  std::int64_t parallelism = 64;  // iterations that are enough: further loops stay serial
  std::int64_t tile = 16;         // of AlignOptions
};

/// `alignment` is of `dag` as it stands, without inlined stages. Numbers are as `decided` says, else by rule; refuses a
/// name that nothing asks for.
Result<PlannedSteps> cpu_steps(const dsl::ComputeDag& dag, const Alignment& alignment, const ir::Target& target, const CpuStepsOptions& options = {},
                           const std::map<std::string, std::int64_t>& decided = {});

}  // namespace tessera::polyhedral
