// The draft's terms on a GPU: what each part of the device would take for a kernel alone.
#pragma once

#include "cost_model/detail/nest_analysis.h"

namespace tessera::cost_model::detail {

/// Fills in the terms of the statements of `nest`, and adds to `program` what their kernels have beyond them:
/// launches. A kernel is bound by its busiest part, or by what its blocks wait for where they do not fill each
/// other's waits; its statements have a share of that.
void gpu_terms(NestView& nest, const Machine& machine, DraftTerms& program);

}  // namespace tessera::cost_model::detail
