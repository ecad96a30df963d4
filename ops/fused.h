// An operator with what commonly follows it.
#pragma once

#include "ops/operator.h"

namespace tessera::ops {

const Operator& conv2d_bias_relu();
const Operator& conv2d_bn_relu();
const Operator& dense_bias_gelu();
const Operator& matmul_bias_gelu();

}  // namespace tessera::ops
