// Convolutions in which every channel has a kernel of its own.
#pragma once

#include "ops/image.h"

namespace tessera::ops {

const Operator& depthwise_conv2d();
const Operator& depthwise_pointwise();

}  // namespace tessera::ops
