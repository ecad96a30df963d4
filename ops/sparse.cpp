#include "ops/sparse.h"

namespace tessera::ops {

using namespace dsl;

namespace {

constexpr std::int64_t kLanes = 16;

/// Y[i, from .. from + n] += A[i, p] * B[column of p, ...] for the elements p of row i.
ir::Stmt add_row(const std::vector<Buffer>& in, const Buffer& out, const Var& i, const Expr& from, std::int64_t n) {
  const Var p = Var::fresh("p"), j = Var::fresh("j"), q = Var::fresh("q");
  const auto at = [&](const Expr& row) { return cast(i64, in[0].load({row})); };
  const ir::ForKind kind = n > 1 ? ir::ForKind::kVector : ir::ForKind::kSerial;
  const auto wide = [&](const Var& v, ir::Stmt body) { return ir::make_stmt<ir::For>(v, Expr(0), Expr(n), kind, std::move(body)); };
  const Expr product = in[2].load({p}) * in[3].load({cast(i64, in[1].load({p})), from + j});
  const ir::Stmt add = wide(j, ir::make_stmt<ir::Store>(out, Exprs{i, from + j}, out.load({i, from + j}) + product));
  const ir::Stmt zero = wide(q, ir::make_stmt<ir::Store>(out, Exprs{i, from + q}, ir::constant_of(out->dtype, 0)));
  return ir::block({zero, ir::make_stmt<ir::For>(p, at(i), at(i + 1) - at(i), ir::ForKind::kSerial, add)});
}

ir::Stmt rows_times_dense(const std::vector<Buffer>& in, const Buffer& out, std::int64_t m, std::int64_t n) {
  const Var i = Var::fresh("i"), v = Var::fresh("v"), r = Var::fresh("r");
  const std::int64_t whole = n / kLanes, rest = n % kLanes;
  ir::Stmts row;
  if (whole > 0) {
    row.push_back(ir::make_stmt<ir::For>(v, Expr(0), Expr(whole), ir::ForKind::kSerial, add_row(in, out, i, v * kLanes, kLanes)));
  }
  if (rest > 0) {
    row.push_back(ir::make_stmt<ir::For>(r, Expr(whole * kLanes), Expr(rest), ir::ForKind::kSerial, add_row(in, out, i, r, 1)));
  }
  return ir::make_stmt<ir::For>(i, Expr(0), Expr(m), ir::ForKind::kParallel, ir::block(std::move(row)));
}

Tensor build_csr_spmm(const Arguments& a) {
  const std::int64_t m = a["m"], k = a["k"], n = a["n"], nnz = a["nnz"];
  TESSERA_USER_CHECK(nnz <= m * k) << "csr_spmm: nnz is " << nnz << ", a matrix of " << m << " by " << k << " has " << m * k << " elements";
  const Operator& op = csr_spmm();
  auto indptr = with_values(operand(op, "indptr", {m + 1}, i32), offsets(nnz));
  auto indices = with_values(operand(op, "indices", {nnz}, i32), below(k));
  auto values = operand(op, "values", {nnz}, a.dtype);
  auto B = operand(op, "B", {k, n}, a.dtype);
  const auto statements = [&](const std::vector<Buffer>& in, const std::vector<Buffer>& out) { return rows_times_dense(in, out[0], m, n); };
  const double operations = 2.0 * static_cast<double>(nnz) * static_cast<double>(n);
  return extern_stage({m, n}, {a.dtype}, {indptr, indices, values, B}, statements, "Y", operations).front();
}

}  // namespace

const Operator& csr_spmm() {
  static const Operator op{
      "csr_spmm",
      "Y[i, j] = sum of A[i, k] * B[k, j] over the elements that row i of a CSR matrix A has; hand-written loops",
      {extent("m", 512, "rows of A"), extent("k", 512, "columns of A"), extent("n", 64, "columns of B"), extent("nnz", 16384, "elements of A")},
      {{"indptr", "[m + 1], where the rows begin, i32"}, {"indices", "[nnz], their columns, i32"}, {"values", "[nnz]"}, {"B", "[k, n]"}},
      {},
      {f32, f64},
      {{"SPM.1", {{"m", 512}, {"k", 512}, {"n", 64}, {"nnz", 16384}}}},
      build_csr_spmm};
  return op;
}

}  // namespace tessera::ops
