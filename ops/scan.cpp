#include "ops/scan.h"

namespace tessera::ops {

using namespace dsl;

namespace {

std::vector<Parameter> matrix() { return {extent("n", 1024, "rows"), extent("m", 1024, "columns")}; }

const std::vector<Operand> kMatrix{{"X", "[n, m]"}};

/// Running sums along one dimension of a matrix.
Tensor running_sum(const Operator& op, const Arguments& a, int axis) {
  auto X = operand(op, "X", {a["n"], a["m"]}, a.dtype);
  const Type t = accumulator(a.dtype);
  auto s = scan_state({a["n"], a["m"]}, t, "Y");
  const auto first = [&](Var i, Var j) { return cast(t, X(i, j)); };
  const auto step = [&](Var i, Var j) { return (axis == 0 ? s(i - 1, j) : s(i, j - 1)) + cast(t, X(i, j)); };
  return scan(s, {axis, 1}, first, step);
}

Tensor build_cumsum(const Arguments& a) { return running_sum(cumsum(), a, 0); }
Tensor build_cumsum_rows(const Arguments& a) { return running_sum(cumsum_rows(), a, 1); }

Tensor build_rnn(const Arguments& a) {
  const std::int64_t seq = a["seq"], batch = a["batch"], hidden = a["hidden"];
  auto X = operand(rnn(), "X", {seq, batch, hidden}, a.dtype);
  // Weights as a trained network has them: a row of them does not amplify, so errors do not either.
  auto W = with_values(operand(rnn(), "W", {hidden, hidden}, a.dtype), within(1.0 / static_cast<double>(hidden)));
  auto bias = operand(rnn(), "bias", {hidden}, a.dtype);
  auto h = scan_state({seq, batch, hidden}, a.dtype, "H");
  auto k = reduce_axis(hidden, "k");
  auto past = compute_named({seq, batch, hidden}, {"t", "b", "i"}, [&](const std::vector<Var>& v) {
    return ir::Exprs{sum(h(v[0] - 1, v[1], k) * W(k, v[2]), k)};
  }, "past");
  const auto first = [&](Var t, Var b, Var i) { return tanh(X(t, b, i) + bias(i)); };
  const auto step = [&](Var t, Var b, Var i) { return tanh(X(t, b, i) + bias(i) + past(t, b, i)); };
  return scan(h, {}, first, step);
}

}  // namespace

const Operator& cumsum() {
  static const Operator op{"cumsum", "Y[t, j] = sum of the column X[0 .. t, j]", matrix(), kMatrix, {}, {f32, f64, i8, i32},
                           {{"CUM.1", {{"n", 1024}, {"m", 1024}}}}, build_cumsum};
  return op;
}

const Operator& cumsum_rows() {
  static const Operator op{"cumsum_rows", "Y[i, t] = sum of the row X[i, 0 .. t]", matrix(), kMatrix, {}, {f32, f64, i8, i32},
                           {{"CUM.2", {{"n", 1024}, {"m", 1024}}}}, build_cumsum_rows};
  return op;
}

const Operator& rnn() {
  static const Operator op{
      "rnn",
      "H[t, b, i] = tanh(X[t, b, i] + bias[i] + sum H[t - 1, b, k] * W[k, i]), from zeros",
      {extent("seq", 32, "steps"), extent("batch", 16, "sequences"), extent("hidden", 256, "units")},
      {{"X", "[seq, batch, hidden]"}, {"W", "[hidden, hidden], weights within 1/hidden", true}, {"bias", "[hidden]", true}},
      {},
      {f32, f64},
      {{"RNN.1", {{"seq", 32}, {"batch", 16}, {"hidden", 256}}}, {"RNN.2", {{"seq", 64}, {"batch", 1}, {"hidden", 512}}}},
      build_rnn};
  return op;
}

}  // namespace tessera::ops
