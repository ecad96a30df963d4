// Random programs for the fuzzer: small, of awkward extents, exact for every order of evaluation.
#pragma once

#include "dsl/dag.h"
#include "support/rng.h"

namespace tessera::driver {

/// One to six computed stages, at most 2^12 points a stage and 2^16 multiply-adds: elementwise and
/// broadcast, windows, products, tuple reductions, two passes, guarded reads, joins, several
/// readers and several outputs, in one of several dtypes. Depends on the draws of `rng` alone.
dsl::ComputeDag random_program(Rng& rng);

}  // namespace tessera::driver
