// Attention, whole and in the parts that compilers are compared on.
#pragma once

#include "ops/operator.h"

namespace tessera::ops {

const Operator& attention();
const Operator& transpose_batch_matmul();
const Operator& transpose_batch_matmul_softmax();

}  // namespace tessera::ops
