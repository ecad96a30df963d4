// Windows over images without weights.
#pragma once

#include "ops/operator.h"

namespace tessera::ops {

const Operator& max_pool2d();
const Operator& avg_pool2d();
const Operator& global_avg_pool2d();

}  // namespace tessera::ops
