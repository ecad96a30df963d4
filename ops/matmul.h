// Matrix products.
#pragma once

#include "ops/operator.h"

namespace tessera::ops {

const Operator& matmul();
const Operator& batch_matmul();
const Operator& dense();

/// A[m, k] * B[k, n] summed over k, in accumulator of the dtype of A, as a stage of that name.
Tensor matmul_stage(const Tensor& a, const Tensor& b, const std::string& name);
/// X[m, k] * W[n, k] summed over k, in accumulator of the dtype of X, as a stage of that name.
Tensor dense_stage(const Tensor& x, const Tensor& w, const std::string& name);

}  // namespace tessera::ops
