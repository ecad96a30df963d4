#include "ops/elementwise.h"

namespace tessera::ops {

using dsl::Expr, dsl::Var;
using dsl::compute, dsl::f32, dsl::f64, dsl::i32, dsl::i8;

namespace {

std::vector<Parameter> matrix() { return {extent("m", 1024, "rows"), extent("n", 1024, "columns")}; }

template <class F>
Tensor unary(const Operator& op, const Arguments& a, const F& f) {
  auto X = operand(op, "X", {a["m"], a["n"]}, a.dtype);
  return compute({a["m"], a["n"]}, [&](Var i, Var j) { return f(X(i, j)); }, "Y");
}

template <class F>
Tensor binary(const Operator& op, const Arguments& a, const F& f) {
  auto A = operand(op, "A", {a["m"], a["n"]}, a.dtype), B = operand(op, "B", {a["m"], a["n"]}, a.dtype);
  return compute({a["m"], a["n"]}, [&](Var i, Var j) { return f(A(i, j), B(i, j)); }, "Y");
}

Tensor build_bias_add(const Arguments& a) {
  auto X = operand(bias_add(), "X", {a["m"], a["n"]}, a.dtype), bias = operand(bias_add(), "bias", {a["n"]}, a.dtype);
  return compute({a["m"], a["n"]}, [&](Var i, Var j) { return X(i, j) + bias(j); }, "Y");
}

Operator unary_operator(const char* name, const char* doc, std::vector<Type> dtypes, Tensor (*build)(const Arguments&),
                        std::vector<Preset> presets = {}) {
  return {name, doc, matrix(), {{"X", "[m, n]"}}, {}, std::move(dtypes), std::move(presets), build};
}

}  // namespace

Expr relu_of(const Expr& x) { return ir::max(x, ir::constant_of(x.type(), 0)); }

Expr gelu_of(const Expr& x) {
  const Type t = x.type();
  return x * ir::constant_of(t, 0.5) * (ir::constant_of(t, 1) + ir::erf(x * ir::constant_of(t, 0.70710678118654752440)));
}

const Operator& relu() {
  static const Operator op = unary_operator("relu", "Y = the larger of X and 0", {f32, f64, i8, i32},
                                            [](const Arguments& a) { return unary(relu(), a, relu_of); });
  return op;
}

const Operator& gelu() {
  static const Operator op = unary_operator("gelu", "Y = X/2 * (1 + erf(X / sqrt 2))", {f32, f64},
                                            [](const Arguments& a) { return unary(gelu(), a, gelu_of); },
                                            {{"GEL.1", {{"m", 128}, {"n", 3072}}},
                                             {"GEL.2", {{"m", 384}, {"n", 4096}}},
                                             {"GEL.3", {{"m", 4096}, {"n", 4096}}}});
  return op;
}

const Operator& sigmoid() {
  static const Operator op = unary_operator("sigmoid", "Y = 1 / (1 + exp(-X))", {f32, f64}, [](const Arguments& a) {
    return unary(sigmoid(), a, [](const Expr& x) { return ir::sigmoid(x); });
  });
  return op;
}

const Operator& tanh() {
  static const Operator op = unary_operator("tanh", "Y = the hyperbolic tangent of X", {f32, f64}, [](const Arguments& a) {
    return unary(tanh(), a, [](const Expr& x) { return ir::tanh(x); });
  });
  return op;
}

const Operator& exp() {
  static const Operator op = unary_operator("exp", "Y = e to the power of X", {f32, f64}, [](const Arguments& a) {
    return unary(exp(), a, [](const Expr& x) { return ir::exp(x); });
  });
  return op;
}

const Operator& add() {
  static const Operator op{"add", "Y = A + B", matrix(), {{"A", "[m, n]"}, {"B", "[m, n]"}}, {}, {f32, f64, i32}, {},
                           [](const Arguments& a) { return binary(add(), a, [](const Expr& x, const Expr& y) { return x + y; }); }};
  return op;
}

const Operator& mul() {
  static const Operator op{"mul", "Y = A * B", matrix(), {{"A", "[m, n]"}, {"B", "[m, n]"}}, {}, {f32, f64, i32}, {},
                           [](const Arguments& a) { return binary(mul(), a, [](const Expr& x, const Expr& y) { return x * y; }); }};
  return op;
}

const Operator& bias_add() {
  static const Operator op{"bias_add", "Y[i, j] = X[i, j] + bias[j]", matrix(), {{"X", "[m, n]"}, {"bias", "[n]", true}}, {},
                           {f32, f64, i32}, {}, build_bias_add};
  return op;
}

}  // namespace tessera::ops
