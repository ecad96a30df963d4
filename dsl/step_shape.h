// Which dimensions of a scan its recurrence leaves alone: their elements never meet, so they may run in any
// order, at once, or outside of the steps.
//
//   S[t, j] = S[t - 1, j] + X[t, j]                       j
//   h[t, b, i] = tanh(sum(h[t - 1, b, k] * W[k, i], k))   b, through the sum; i meets all of the row before
#pragma once

#include <vector>

#include "ir/buffer.h"
#include "ir/expr.h"

namespace tessera::dsl {

/// A stage of a step: what it writes, and where in what it reads.
struct StepPart {
  std::vector<ir::Buffer> outputs;
  std::vector<ir::Var> coordinates;  // one a dimension
  const ir::Exprs* body = nullptr;
};

/// For every dimension of the scan, the last of `parts`, whether it is such a one; false for `axis`, along
/// which it steps. Producers come first.
std::vector<bool> independent_dimensions(const std::vector<StepPart>& parts, int axis);

}  // namespace tessera::dsl
