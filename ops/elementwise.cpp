#include "ops/elementwise.h"

namespace tessera::ops {

using dsl::Expr, dsl::Var;
using dsl::compute, dsl::f32, dsl::f64, dsl::i32, dsl::i8;

namespace {

using Function = Expr (*)(const Expr&);
using Combination = Expr (*)(const Expr&, const Expr&);

std::vector<Parameter> matrix() { return {extent("m", 1024, "rows"), extent("n", 1024, "columns")}; }

std::vector<Type> with_integers(std::initializer_list<Type> integers) {
  std::vector<Type> out = float_types();
  out.insert(out.end(), integers);
  return out;
}

template <Function f, const Operator& (*op)()>
Tensor build_unary(const Arguments& a) {
  const auto X = operand(op(), "X", {a["m"], a["n"]}, a.dtype);
  return compute({a["m"], a["n"]}, [&](Var i, Var j) { return ir::cast(a.dtype, f(ir::cast(compute_type(a.dtype), X(i, j)))); }, "Y");
}

template <Function f, const Operator& (*op)()>
Operator unary(const char* name, const char* doc, std::vector<Type> dtypes = float_types(), std::vector<Preset> presets = {}) {
  return {name, doc, matrix(), {{"X", "[m, n]"}}, {}, std::move(dtypes), std::move(presets), build_unary<f, op>};
}

template <Combination f, const Operator& (*op)()>
Tensor build_binary(const Arguments& a) {
  const auto m = a["m"], n = a["n"], broadcast = a["broadcast"];
  const auto A = operand(op(), "A", {m, n}, a.dtype);
  const auto B = operand(op(), "B", broadcast == 0 ? ir::Exprs{m, n} : ir::Exprs{broadcast == 1 ? n : m}, a.dtype);
  return compute({m, n}, [&](Var i, Var j) { return f(A(i, j), broadcast == 0 ? B(i, j) : B(broadcast == 1 ? j : i)); }, "Y");
}

template <Combination f, const Operator& (*op)()>
Operator binary(const char* name, const char* doc, std::vector<Type> dtypes) {
  return {name,
          doc,
          {extent("m", 1024, "rows"), extent("n", 1024, "columns"), {"broadcast", 0, 0, 2, "1: B is one row for all, 2: B is one column for all"}},
          {{"A", "[m, n]"}, {"B", "[m, n], with broadcast [n] or [m]"}},
          {},
          std::move(dtypes),
          {},
          build_binary<f, op>};
}

Tensor build_bias_add(const Arguments& a) {
  const auto X = operand(bias_add(), "X", {a["m"], a["n"]}, a.dtype), bias = operand(bias_add(), "bias", {a["n"]}, a.dtype);
  return compute({a["m"], a["n"]}, [&](Var i, Var j) { return X(i, j) + bias(j); }, "Y");
}

Expr leaky_relu_of(const Expr& x) { return ir::max(x, x * ir::constant_of(x.type(), 0.01)); }
Expr silu_of(const Expr& x) { return x * ir::sigmoid(x); }
Expr neg_of(const Expr& x) { return -x; }

Expr sum_of(const Expr& x, const Expr& y) { return x + y; }
Expr difference_of(const Expr& x, const Expr& y) { return x - y; }
Expr product_of(const Expr& x, const Expr& y) { return x * y; }
Expr quotient_of(const Expr& x, const Expr& y) { return x / y; }
Expr larger_of(const Expr& x, const Expr& y) { return ir::max(x, y); }
Expr smaller_of(const Expr& x, const Expr& y) { return ir::min(x, y); }

}  // namespace

Expr relu_of(const Expr& x) { return ir::max(x, ir::constant_of(x.type(), 0)); }

Expr gelu_of(const Expr& x) {
  const Type t = x.type();
  return x * ir::constant_of(t, 0.5) * (ir::constant_of(t, 1) + ir::erf(x * ir::constant_of(t, 0.70710678118654752440)));
}

const Operator& relu() {
  static const Operator op = unary<relu_of, relu>("relu", "Y = the larger of X and 0", with_integers({i8, i32}));
  return op;
}

const Operator& leaky_relu() {
  static const Operator op = unary<leaky_relu_of, leaky_relu>("leaky_relu", "Y = X, or X/100 where X is negative");
  return op;
}

const Operator& gelu() {
  static const Operator op = unary<gelu_of, gelu>("gelu", "Y = X/2 * (1 + erf(X / sqrt 2))", float_types(),
                                                  {{"GEL.1", {{"m", 128}, {"n", 3072}}},
                                                   {"GEL.2", {{"m", 384}, {"n", 4096}}},
                                                   {"GEL.3", {{"m", 4096}, {"n", 4096}}}});
  return op;
}

const Operator& silu() {
  static const Operator op = unary<silu_of, silu>("silu", "Y = X / (1 + exp(-X))");
  return op;
}

const Operator& sigmoid() {
  static const Operator op = unary<ir::sigmoid, sigmoid>("sigmoid", "Y = 1 / (1 + exp(-X))");
  return op;
}

const Operator& tanh() {
  static const Operator op = unary<ir::tanh, tanh>("tanh", "Y = the hyperbolic tangent of X");
  return op;
}

const Operator& exp() {
  static const Operator op = unary<ir::exp, exp>("exp", "Y = e to the power of X");
  return op;
}

const Operator& log() {
  static const Operator op = unary<ir::log, log>("log", "Y = the natural logarithm of X");
  return op;
}

const Operator& sqrt() {
  static const Operator op = unary<ir::sqrt, sqrt>("sqrt", "Y = the square root of X");
  return op;
}

const Operator& rsqrt() {
  static const Operator op = unary<ir::rsqrt, rsqrt>("rsqrt", "Y = 1 over the square root of X");
  return op;
}

const Operator& erf() {
  static const Operator op = unary<ir::erf, erf>("erf", "Y = the error function of X");
  return op;
}

const Operator& abs() {
  static const Operator op = unary<ir::abs, abs>("abs", "Y = X without its sign", with_integers({i32}));
  return op;
}

const Operator& neg() {
  static const Operator op = unary<neg_of, neg>("neg", "Y = -X", with_integers({i32}));
  return op;
}

const Operator& add() {
  static const Operator op = binary<sum_of, add>("add", "Y = A + B", with_integers({i32}));
  return op;
}

const Operator& sub() {
  static const Operator op = binary<difference_of, sub>("sub", "Y = A - B", with_integers({i32}));
  return op;
}

const Operator& mul() {
  static const Operator op = binary<product_of, mul>("mul", "Y = A * B", with_integers({i32}));
  return op;
}

const Operator& div() {
  static const Operator op = binary<quotient_of, div>("div", "Y = A / B", float_types());
  return op;
}

const Operator& maximum() {
  static const Operator op = binary<larger_of, maximum>("maximum", "Y = the larger of A and B", with_integers({i8, i32}));
  return op;
}

const Operator& minimum() {
  static const Operator op = binary<smaller_of, minimum>("minimum", "Y = the smaller of A and B", with_integers({i8, i32}));
  return op;
}

const Operator& bias_add() {
  static const Operator op{"bias_add", "Y[i, j] = X[i, j] + bias[j]", matrix(), {{"X", "[m, n]"}, {"bias", "[n]", true}}, {},
                           with_integers({i32}), {}, build_bias_add};
  return op;
}

}  // namespace tessera::ops
