// Products with a sparse operand, as hand-written loops.
#pragma once

#include "ops/operator.h"

namespace tessera::ops {

const Operator& csr_spmm();

}  // namespace tessera::ops
