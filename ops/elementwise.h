// One result for every element of a matrix.
#pragma once

#include "ops/operator.h"

namespace tessera::ops {

const Operator& relu();
const Operator& gelu();
const Operator& sigmoid();
const Operator& tanh();
const Operator& exp();
const Operator& add();
const Operator& mul();
const Operator& bias_add();

ir::Expr relu_of(const ir::Expr& x);
/// x/2 * (1 + erf(x / sqrt 2)).
ir::Expr gelu_of(const ir::Expr& x);

}  // namespace tessera::ops
