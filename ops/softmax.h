// Rows turned into probabilities.
#pragma once

#include "ops/operator.h"

namespace tessera::ops {

const Operator& softmax();
const Operator& log_softmax();

}  // namespace tessera::ops
