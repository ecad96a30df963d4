// Reductions of a matrix.
#pragma once

#include "ops/operator.h"

namespace tessera::ops {

const Operator& reduce_sum();
const Operator& reduce_max();
const Operator& reduce_mean();
const Operator& column_sum();
const Operator& argmax();
const Operator& norm();

}  // namespace tessera::ops
