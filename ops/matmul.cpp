#include "ops/matmul.h"

namespace tessera::ops {

using namespace dsl;

namespace {

Tensor build_matmul(const Arguments& a) {
  const Operator& op = matmul();
  const auto A = operand(op, "A", {a["m"], a["k"]}, a.dtype), B = operand(op, "B", {a["k"], a["n"]}, weight_type(a.dtype));
  return matmul_stage(A, B, "C");
}

Tensor build_batch_matmul(const Arguments& a) {
  const Operator& op = batch_matmul();
  const auto b = a["b"], m = a["m"], n = a["n"], depth = a["k"];
  const Type acc = accumulator(a.dtype);
  auto A = operand(op, "A", {b, m, depth}, a.dtype), B = operand(op, "B", {b, depth, n}, weight_type(a.dtype));
  auto k = reduce_axis(depth, "k");
  const auto body = [&](const std::vector<Var>& v) {
    return ir::Exprs{sum(cast(acc, A(v[0], v[1], k)) * cast(acc, B(v[0], k, v[2])), k)};
  };
  return compute_named({b, m, n}, {"b", "i", "j"}, body, "C");
}

Tensor build_dense(const Arguments& a) {
  const Operator& op = dense();
  const auto X = operand(op, "X", {a["m"], a["k"]}, a.dtype), W = operand(op, "W", {a["n"], a["k"]}, weight_type(a.dtype));
  return dense_stage(X, W, "Y");
}

}  // namespace

Tensor matmul_stage(const Tensor& a, const Tensor& b, const std::string& name) {
  const Type acc = accumulator(a.dtype());
  auto k = reduce_axis(a.shape()[1], "k");
  return compute({a.shape()[0], b.shape()[1]}, [&](Var i, Var j) { return sum(cast(acc, a(i, k)) * cast(acc, b(k, j)), k); }, name);
}

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
      product_types(),
      {{"GMM.1", {{"m", 128}, {"n", 128}, {"k", 128}}},
       {"GMM.2", {{"m", 512}, {"n", 32}, {"k", 512}}},
       {"GMM.3", {{"m", 512}, {"n", 512}, {"k", 512}}},
       {"GMM.4", {{"m", 1024}, {"n", 1024}, {"k", 1024}}},
       {"GEMM.1", {{"m", 64}, {"n", 64}, {"k", 64}}},
       {"GEMM.2", {{"m", 128}, {"n", 128}, {"k", 128}}},
       {"GEMM.3", {{"m", 256}, {"n", 256}, {"k", 256}}},
       {"GEMM.4", {{"m", 512}, {"n", 512}, {"k", 512}}},
       {"GEMM.5", {{"m", 1000}, {"n", 1000}, {"k", 1000}}},
       {"GEMM.6", {{"m", 1024}, {"n", 1024}, {"k", 1024}}},
       {"GEMM.7", {{"m", 2048}, {"n", 2048}, {"k", 2048}}},
       {"GEMM.8", {{"m", 128}, {"n", 768}, {"k", 768}}},
       {"GEMM.9", {{"m", 128}, {"n", 3072}, {"k", 768}}},
       {"GEMM.10", {{"m", 128}, {"n", 768}, {"k", 3072}}},
       {"GEMM.11", {{"m", 384}, {"n", 384}, {"k", 64}}},
       {"GEMM.12", {{"m", 4096}, {"n", 4096}, {"k", 64}}},
       {"GEMM.13", {{"m", 4096}, {"n", 64}, {"k", 4096}}},
       {"GEMM.14", {{"m", 16}, {"n", 4096}, {"k", 4096}}},
       {"GEMM.15", {{"m", 1}, {"n", 4096}, {"k", 4096}}},
       {"U8S8.1", {{"m", 512}, {"n", 512}, {"k", 512}}, "", "u8"},
       {"U8S8.2", {{"m", 1024}, {"n", 1024}, {"k", 1024}}, "", "u8"}},
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
      product_types(),
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
      product_types(),
      {{"DNS.1", {{"m", 128}, {"n", 768}, {"k", 768}}},
       {"DNS.2", {{"m", 128}, {"n", 3072}, {"k", 768}}},
       {"DNS.3", {{"m", 128}, {"n", 768}, {"k", 3072}}},
       {"DNS.4", {{"m", 1}, {"n", 1000}, {"k", 2048}}}},
      build_dense};
  return op;
}

}  // namespace tessera::ops
