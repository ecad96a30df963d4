#include "ops/softmax.h"

namespace tessera::ops {

using namespace dsl;

namespace {

struct Rows {
  Tensor largest;  // [m]
  Tensor power;    // [m, n], exp(X - largest): less the largest of its row, no element overflows
  Tensor total;    // [m], sum of power
};

Rows rows_of(const Tensor& x) {
  const Expr m = x.shape()[0], n = x.shape()[1];
  const Type t = compute_type(x.dtype());
  auto k = reduce_axis(n, "k"), l = reduce_axis(n, "k");
  Rows r;
  r.largest = compute({m}, [&](Var i) { return max(x(i, k), k); }, "Xmax");
  r.power = compute({m, n}, [&](Var i, Var j) { return exp(cast(t, x(i, j)) - cast(t, r.largest(i))); }, "Xexp");
  r.total = compute({m}, [&](Var i) { return sum(r.power(i, l), l); }, "Xsum");
  return r;
}

Tensor build_softmax(const Arguments& a) {
  const Rows r = rows_of(operand(softmax(), "X", {a["m"], a["n"]}, a.dtype));
  return compute({a["m"], a["n"]}, [&](Var i, Var j) { return cast(a.dtype, r.power(i, j) / r.total(i)); }, "Y");
}

Tensor build_log_softmax(const Arguments& a) {
  const auto X = operand(log_softmax(), "X", {a["m"], a["n"]}, a.dtype);
  const Rows r = rows_of(X);
  const Type t = compute_type(a.dtype);
  const Tensor logs = compute({a["m"]}, [&](Var i) { return log(r.total(i)); }, "Xlog");
  return compute({a["m"], a["n"]}, [&](Var i, Var j) { return cast(a.dtype, cast(t, X(i, j)) - cast(t, r.largest(i)) - logs(i)); }, "Y");
}

std::vector<Parameter> parameters() { return {extent("m", 1536, "rows"), extent("n", 128, "columns")}; }

}  // namespace

const Operator& softmax() {
  static const Operator op{"softmax",
                           "Y[i, j] = exp(X[i, j]) / sum over the row of exp(X[i, ..])",
                           parameters(),
                           {{"X", "[m, n]"}},
                           {},
                           float_types(),
                           {{"SMX.1", {{"m", 1536}, {"n", 128}}},
                            {"SMX.2", {{"m", 4608}, {"n", 384}}},
                            {"SMX.3", {{"m", 128}, {"n", 768}}},
                            {"SMX.4", {{"m", 4096}, {"n", 4096}}}},
                           build_softmax};
  return op;
}

const Operator& log_softmax() {
  static const Operator op{"log_softmax", "the logarithm of softmax", parameters(), {{"X", "[m, n]"}}, {},
                           float_types(), {}, build_log_softmax};
  return op;
}

}  // namespace tessera::ops
