#include "ops/softmax.h"

namespace tessera::ops {

using namespace dsl;

namespace {

Tensor build(const Arguments& a) {
  const auto m = a["m"], n = a["n"];
  auto X = operand(softmax(), "X", {m, n}, a.dtype);
  auto k = reduce_axis(n, "k"), l = reduce_axis(n, "k");
  // Less the largest of its row, no element overflows.
  auto largest = compute({m}, [&](Var i) { return max(X(i, k), k); }, "Xmax");
  auto power = compute({m, n}, [&](Var i, Var j) { return exp(X(i, j) - largest(i)); }, "Xexp");
  auto total = compute({m}, [&](Var i) { return sum(power(i, l), l); }, "Xsum");
  return compute({m, n}, [&](Var i, Var j) { return power(i, j) / total(i); }, "Y");
}

}  // namespace

const Operator& softmax() {
  static const Operator op{"softmax",
                           "Y[i, j] = exp(X[i, j]) / sum over the row of exp(X[i, ..])",
                           {extent("m", 1536, "rows"), extent("n", 128, "columns")},
                           {{"X", "[m, n]"}},
                           {},
                           {f32, f64},
                           {{"SMX.1", {{"m", 1536}, {"n", 128}}},
                            {"SMX.2", {{"m", 4608}, {"n", 384}}},
                            {"SMX.3", {{"m", 128}, {"n", 768}}},
                            {"SMX.4", {{"m", 4096}, {"n", 4096}}}},
                           build};
  return op;
}

}  // namespace tessera::ops
