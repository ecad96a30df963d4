// One result for every element of a matrix.
#pragma once

#include "ops/operator.h"

namespace tessera::ops {

const Operator& relu();
const Operator& leaky_relu();
const Operator& gelu();
const Operator& silu();
const Operator& sigmoid();
const Operator& tanh();
const Operator& exp();
const Operator& log();
const Operator& sqrt();
const Operator& rsqrt();
const Operator& erf();
const Operator& abs();
const Operator& neg();

const Operator& add();
const Operator& sub();
const Operator& mul();
const Operator& div();
const Operator& maximum();
const Operator& minimum();
const Operator& bias_add();

ir::Expr relu_of(const ir::Expr& x);
/// x/2 * (1 + erf(x / sqrt 2)).
ir::Expr gelu_of(const ir::Expr& x);

}  // namespace tessera::ops
