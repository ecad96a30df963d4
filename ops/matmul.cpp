#include "ops/matmul.h"

namespace tessera::ops {

using namespace dsl;

namespace {

const std::vector<Type> kDtypes{f32, f64, i8, i32};

Tensor build_matmul(const Arguments& a) {
  const Operator& op = matmul();
  const auto m = a["m"], n = a["n"], depth = a["k"];
  const Type acc = accumulator(a.dtype);
  auto A = operand(op, "A", {m, depth}, a.dtype), B = operand(op, "B", {depth, n}, a.dtype);
  auto k = reduce_axis(depth, "k");
  return compute({m, n}, [&](Var i, Var j) { return sum(cast(acc, A(i, k)) * cast(acc, B(k, j)), k); }, "C");
}

Tensor build_batch_matmul(const Arguments& a) {
  const Operator& op = batch_matmul();
  const auto b = a["b"], m = a["m"], n = a["n"], depth = a["k"];
  const Type acc = accumulator(a.dtype);
  auto A = operand(op, "A", {b, m, depth}, a.dtype), B = operand(op, "B", {b, depth, n}, a.dtype);
  auto k = reduce_axis(depth, "k");
  const auto body = [&](const std::vector<Var>& v) {
    return ir::Exprs{sum(cast(acc, A(v[0], v[1], k)) * cast(acc, B(v[0], k, v[2])), k)};
  };
  return compute_named({b, m, n}, {"b", "i", "j"}, body, "C");
}

Tensor build_dense(const Arguments& a) {
  const Operator& op = dense();
  return dense_stage(operand(op, "X", {a["m"], a["k"]}, a.dtype), operand(op, "W", {a["n"], a["k"]}, a.dtype), "Y");
}

}  // namespace

Tensor dense_stage(const Tensor& x, const Tensor& w, const std::string& name) {
  const Type acc = accumulator(x.dtype());
  auto k = reduce_axis(x.shape()[1], "k");
  return compute({x.shape()[0], w.shape()[0]}, [&](Var i, Var j) { return sum(cast(acc, x(i, k)) * cast(acc, w(j, k)), k); }, name);
}

const Operator& matmul() {
  static const Operator op{
      "matmul",
      "C[i, j] = sum over k of A[i, k] * B[k, j]",
      {extent("m", 512, "rows of A and C"), extent("n", 512, "columns of B and C"), extent("k", 512, "columns of A, rows of B")},
      {{"A", "[m, k]"}, {"B", "[k, n]"}},
      {},
      kDtypes,
      {{"GMM.1", {{"m", 128}, {"n", 128}, {"k", 128}}},
       {"GMM.2", {{"m", 512}, {"n", 32}, {"k", 512}}},
       {"GMM.3", {{"m", 512}, {"n", 512}, {"k", 512}}},
       {"GMM.4", {{"m", 1024}, {"n", 1024}, {"k", 1024}}},
       {"GEMM.1", {{"m", 64}, {"n", 64}, {"k", 64}}},
       {"GEMM.2", {{"m", 256}, {"n", 256}, {"k", 256}}},
       {"GEMM.3", {{"m", 1000}, {"n", 1000}, {"k", 1000}}},
       {"GEMM.4", {{"m", 2048}, {"n", 2048}, {"k", 2048}}},
       {"GEMM.5", {{"m", 128}, {"n", 768}, {"k", 768}}},
       {"GEMM.6", {{"m", 128}, {"n", 3072}, {"k", 768}}},
       {"GEMM.7", {{"m", 128}, {"n", 768}, {"k", 3072}}},
       {"GEMM.8", {{"m", 384}, {"n", 384}, {"k", 64}}},
       {"GEMM.9", {{"m", 4096}, {"n", 4096}, {"k", 64}}},
       {"GEMM.10", {{"m", 4096}, {"n", 64}, {"k", 4096}}},
       {"GEMM.11", {{"m", 16}, {"n", 4096}, {"k", 4096}}},
       {"GEMM.12", {{"m", 1}, {"n", 4096}, {"k", 4096}}}},
      build_matmul};
  return op;
}

const Operator& batch_matmul() {
  static const Operator op{
      "batch_matmul",
      "C[b, i, j] = sum over k of A[b, i, k] * B[b, k, j]",
      {extent("b", 12, "matrices"), extent("m", 128, "rows of A and C"), extent("n", 128, "columns of B and C"),
       extent("k", 64, "columns of A, rows of B")},
      {{"A", "[b, m, k]"}, {"B", "[b, k, n]"}},
      {},
      kDtypes,
      {{"BMM.1", {{"b", 12}, {"m", 128}, {"n", 128}, {"k", 64}}},
       {"BMM.2", {{"b", 16}, {"m", 128}, {"n", 128}, {"k", 64}}},
       {"BMM.3", {{"b", 12}, {"m", 64}, {"n", 64}, {"k", 128}}},
       {"BMM.4", {{"b", 12}, {"m", 128}, {"n", 128}, {"k", 128}}}},
      build_batch_matmul};
  return op;
}

const Operator& dense() {
  static const Operator op{
      "dense",
      "Y[i, j] = sum over k of X[i, k] * W[j, k]",
      {extent("m", 128, "rows of X and Y"), extent("n", 768, "outputs: rows of W"), extent("k", 768, "inputs: columns of X and W")},
      {{"X", "[m, k]"}, {"W", "[n, k]", true}},
      {},
      kDtypes,
      {{"DNS.1", {{"m", 128}, {"n", 768}, {"k", 768}}},
       {"DNS.2", {{"m", 128}, {"n", 3072}, {"k", 768}}},
       {"DNS.3", {{"m", 128}, {"n", 768}, {"k", 3072}}},
       {"DNS.4", {{"m", 1}, {"n", 1000}, {"k", 2048}}}},
      build_dense};
  return op;
}

}  // namespace tessera::ops
