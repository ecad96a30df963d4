#include "ops/transpose.h"

namespace tessera::ops {

using namespace dsl;

namespace {

const std::vector<Type> kTypes{f32, f64, f16, bf16, i8, u8, i32};

Tensor build_transpose(const Arguments& a) {
  const auto X = operand(transpose(), "X", {a["m"], a["n"]}, a.dtype);
  return compute({a["n"], a["m"]}, [&](Var i, Var j) { return X(j, i); }, "Y");
}

Tensor build_heads(const Arguments& a) {
  const auto X = operand(transpose_heads(), "X", {a["b"], a["seq"], a["heads"], a["dim"]}, a.dtype);
  return compute_named({a["b"], a["heads"], a["seq"], a["dim"]}, {"b", "h", "s", "d"},
                       [&](const std::vector<Var>& v) { return Exprs{X(v[0], v[2], v[1], v[3])}; }, "Y");
}

}  // namespace

const Operator& transpose() {
  static const Operator op{"transpose", "Y[j, i] = X[i, j]", {extent("m", 1024, "rows of X"), extent("n", 1024, "columns of X")},
                           {{"X", "[m, n]"}}, {}, kTypes, {{"TRN.1", {{"m", 1024}, {"n", 1024}}}}, build_transpose};
  return op;
}

const Operator& transpose_heads() {
  static const Operator op{"transpose_heads", "Y[b, h, s, d] = X[b, s, h, d]",
                           {extent("b", 1, "sequences"), extent("seq", 128, "positions of a sequence"), extent("heads", 12, "heads"),
                            extent("dim", 64, "elements of a head")},
                           {{"X", "[b, seq, heads, dim]"}}, {}, kTypes, {}, build_heads};
  return op;
}

}  // namespace tessera::ops
