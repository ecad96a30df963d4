#pragma once

#include "ops/operator.h"

namespace tessera::ops {

const Operator& softmax();

}  // namespace tessera::ops
