// Transposed convolution: every input pixel spreads over a window of the output.
#pragma once

#include "ops/image.h"

namespace tessera::ops {

const Operator& conv2d_transposed();

}  // namespace tessera::ops
