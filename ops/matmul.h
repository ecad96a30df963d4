// Matrix products.
#pragma once

#include "ops/operator.h"

namespace tessera::ops {

const Operator& matmul();
const Operator& batch_matmul();
const Operator& dense();

/// X[m, k] * W[n, k] summed over k, as a stage of that name.
Tensor dense_stage(const Tensor& x, const Tensor& w, const std::string& name);

}  // namespace tessera::ops
