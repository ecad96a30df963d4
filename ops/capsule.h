// Convolution of capsules: pixels and weights are small matrices.
#pragma once

#include "ops/image.h"

namespace tessera::ops {

const Operator& capsule_conv2d();

}  // namespace tessera::ops
