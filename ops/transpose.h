// The same elements in another order.
#pragma once

#include "ops/operator.h"

namespace tessera::ops {

const Operator& transpose();
const Operator& transpose_heads();

}  // namespace tessera::ops
