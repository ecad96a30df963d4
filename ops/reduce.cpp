#include "ops/reduce.h"

namespace tessera::ops {

using namespace dsl;

namespace {

std::vector<Parameter> matrix() { return {extent("m", 1024, "rows"), extent("n", 1024, "columns")}; }

const std::vector<Operand> kMatrix{{"X", "[m, n]"}};

Tensor input(const Operator& op, const Arguments& a) { return operand(op, "X", {a["m"], a["n"]}, a.dtype); }

Tensor build_sum(const Arguments& a) {
  auto X = input(reduce_sum(), a);
  auto k = reduce_axis(a["n"], "k");
  return compute({a["m"]}, [&](Var i) { return sum(cast(accumulator(a.dtype), X(i, k)), k); }, "Y");
}

Tensor build_max(const Arguments& a) {
  auto X = input(reduce_max(), a);
  auto k = reduce_axis(a["n"], "k");
  return compute({a["m"]}, [&](Var i) { return max(X(i, k), k); }, "Y");
}

Tensor build_mean(const Arguments& a) {
  auto X = input(reduce_mean(), a);
  auto k = reduce_axis(a["n"], "k");
  auto total = compute({a["m"]}, [&](Var i) { return sum(X(i, k), k); }, "Ysum");
  return compute({a["m"]}, [&](Var i) { return total(i) / ir::constant_of(a.dtype, static_cast<double>(a["n"])); }, "Y");
}

Tensor build_column_sum(const Arguments& a) {
  auto X = input(column_sum(), a);
  auto k = reduce_axis(a["m"], "k");
  return compute({a["n"]}, [&](Var j) { return sum(cast(accumulator(a.dtype), X(k, j)), k); }, "Y");
}

Tensor build_norm(const Arguments& a) {
  auto X = operand(norm(), "X", {a["b"], a["m"], a["n"]}, a.dtype);
  auto i = reduce_axis(a["m"], "i"), j = reduce_axis(a["n"], "j");
  auto squares = compute_named({a["b"]}, {"b"}, [&](const std::vector<Var>& v) {
    return ir::Exprs{sum(X(v[0], i, j) * X(v[0], i, j), i, j)};
  }, "Ysum");
  return compute_named({a["b"]}, {"b"}, [&](const std::vector<Var>& v) { return ir::Exprs{sqrt(squares(v[0]))}; }, "Y");
}

Tensor build_argmax(const Arguments& a) {
  auto X = input(argmax(), a);
  auto k = reduce_axis(a["n"], "k");
  const auto larger = reducer("argmax", {a.dtype, i32}, [](const Exprs& x, const Exprs& y) {
    const Expr first = x[0] > y[0] || (x[0] == y[0] && x[1] <= y[1]);
    return Exprs{select(first, x[0], y[0]), select(first, x[1], y[1])};
  }, {lowest(a.dtype), ir::constant_of(i32, INT32_MAX)});
  const auto best = compute_many({a["m"]}, [&](Var i) { return reduce(larger, {X(i, k), cast(i32, k)}, {k}); }, "best");
  return compute({a["m"]}, [&](Var i) { return best[1](i); }, "Y");
}

}  // namespace

const Operator& reduce_sum() {
  static const Operator op{"reduce_sum", "Y[i] = sum over the row X[i, ..]", matrix(), kMatrix, {}, {f32, f64, i8, i32},
                           {{"SUM.1", {{"m", 1024}, {"n", 1024}}}}, build_sum};
  return op;
}

const Operator& reduce_max() {
  static const Operator op{"reduce_max", "Y[i] = the largest of the row X[i, ..]", matrix(), kMatrix, {},
                           {f32, f64, i8, i32}, {}, build_max};
  return op;
}

const Operator& reduce_mean() {
  static const Operator op{"reduce_mean", "Y[i] = the mean of the row X[i, ..]", matrix(), kMatrix, {}, {f32, f64}, {},
                           build_mean};
  return op;
}

const Operator& column_sum() {
  static const Operator op{"column_sum", "Y[j] = sum over the column X[.., j]", matrix(), kMatrix, {}, {f32, f64, i8, i32},
                           {{"SUM.2", {{"m", 1024}, {"n", 1024}}}}, build_column_sum};
  return op;
}

const Operator& argmax() {
  static const Operator op{"argmax", "Y[i] = the column of the largest of the row X[i, ..], the first of equals; i32", matrix(), kMatrix, {},
                           {f32, f64, i8, i32}, {{"AMX.1", {{"m", 1024}, {"n", 1024}}}}, build_argmax};
  return op;
}

const Operator& norm() {
  static const Operator op{
      "norm",
      "Y[b] = the square root of the sum of the squares of X[b, .., ..]",
      {extent("b", 1, "matrices"), extent("m", 1024, "rows"), extent("n", 1024, "columns")},
      {{"X", "[b, m, n]"}},
      {},
      {f32, f64},
      {{"NRM.1", {{"m", 256}, {"n", 256}}},
       {"NRM.2", {{"m", 512}, {"n", 512}}},
       {"NRM.3", {{"m", 1024}, {"n", 1024}}},
       {"NRM.4", {{"m", 4096}, {"n", 4096}}}},
      build_norm};
  return op;
}

}  // namespace tessera::ops
