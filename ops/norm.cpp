#include "ops/norm.h"

#include "ops/image.h"

namespace tessera::ops {

using namespace dsl;

namespace {

constexpr double kEpsilon = 1e-5;    // beside a variance, as frameworks have it
constexpr double kLeastNorm = 1e-12;

Expr mean_of(const Expr& total, std::int64_t n) { return total / ir::constant_of(total.type(), static_cast<double>(n)); }
Expr rsqrt_of_variance(const Expr& v) { return rsqrt(v + ir::constant_of(v.type(), kEpsilon)); }

/// [m]: the sum of the squares of each row.
Tensor row_squares(const Tensor& x, const Type& t) {
  auto k = reduce_axis(x.shape()[1], "k");
  return compute({x.shape()[0]}, [&](Var i) { return sum(cast(t, x(i, k)) * cast(t, x(i, k)), k); }, "Xsquares");
}

Tensor build_layer_norm(const Arguments& a) {
  const Operator& op = layer_norm();
  const auto m = a["m"], n = a["n"];
  const Type t = compute_type(a.dtype);
  const auto X = operand(op, "X", {m, n}, a.dtype), gamma = operand(op, "gamma", {n}, a.dtype), beta = operand(op, "beta", {n}, a.dtype);
  auto k = reduce_axis(n, "k"), l = reduce_axis(n, "k");
  const Tensor total = compute({m}, [&](Var i) { return sum(cast(t, X(i, k)), k); }, "Xsum");
  const Tensor mean = compute({m}, [&](Var i) { return mean_of(total(i), n); }, "Xmean");
  // From the mean, not as mean of squares less square of mean, which cancels.
  const Tensor squares = compute({m}, [&](Var i) {
    const Expr d = cast(t, X(i, l)) - mean(i);
    return sum(d * d, l);
  }, "Xsquares");
  const Tensor scale = compute({m}, [&](Var i) { return rsqrt_of_variance(mean_of(squares(i), n)); }, "Xscale");
  return compute({m, n}, [&](Var i, Var j) {
    return cast(a.dtype, (cast(t, X(i, j)) - mean(i)) * scale(i) * cast(t, gamma(j)) + cast(t, beta(j)));
  }, "Y");
}

Tensor build_rms_norm(const Arguments& a) {
  const Operator& op = rms_norm();
  const auto m = a["m"], n = a["n"];
  const Type t = compute_type(a.dtype);
  const auto X = operand(op, "X", {m, n}, a.dtype), gamma = operand(op, "gamma", {n}, a.dtype);
  const Tensor squares = row_squares(X, t);
  const Tensor scale = compute({m}, [&](Var i) { return rsqrt_of_variance(mean_of(squares(i), n)); }, "Xscale");
  return compute({m, n}, [&](Var i, Var j) { return cast(a.dtype, cast(t, X(i, j)) * scale(i) * cast(t, gamma(j))); }, "Y");
}

Tensor build_l2_normalize(const Arguments& a) {
  const auto m = a["m"], n = a["n"];
  const Type t = compute_type(a.dtype);
  const auto X = operand(l2_normalize(), "X", {m, n}, a.dtype);
  const Tensor squares = row_squares(X, t);
  const Tensor length = compute({m}, [&](Var i) { return max(sqrt(squares(i)), ir::constant_of(t, kLeastNorm)); }, "Xnorm");
  return compute({m, n}, [&](Var i, Var j) { return cast(a.dtype, cast(t, X(i, j)) / length(i)); }, "Y");
}

Tensor build_batch_norm(const Arguments& a) {
  const Operator& op = batch_norm();
  const Image image(a.layout);
  const Type t = compute_type(a.dtype);
  const auto X = operand(op, "X", image_shape(a, a["c"]), a.dtype);
  const ChannelAffine f = batch_norm_affine(op, a["c"], a.dtype);
  return compute_named(X.shape(), image.axes("c"), [&](const std::vector<Var>& v) {
    const Var c = v[image.channel()];
    return Exprs{cast(a.dtype, cast(t, X.at(Exprs(v.begin(), v.end()))) * f.scale(c) + f.shift(c))};
  }, "Y");
}

std::vector<Parameter> rows() { return {extent("m", 128, "rows"), extent("n", 768, "columns")}; }

std::vector<Operand> affine(std::vector<Operand> out, const std::string& shape, bool with_beta) {
  out.push_back({"gamma", shape + ", factors", true});
  if (with_beta) out.push_back({"beta", shape + ", what is added", true});
  return out;
}

}  // namespace

ChannelAffine batch_norm_affine(const Operator& op, std::int64_t channels, Type dtype) {
  const Type t = compute_type(dtype);
  const auto gamma = operand(op, "gamma", {channels}, dtype), beta = operand(op, "beta", {channels}, dtype);
  const auto mean = operand(op, "mean", {channels}, dtype), var = operand(op, "var", {channels}, dtype);
  ChannelAffine out;
  out.scale = compute_named({channels}, {"c"}, [&](const std::vector<Var>& v) {
    return Exprs{cast(t, gamma(v[0])) * rsqrt_of_variance(cast(t, var(v[0])))};
  }, "scale");
  out.shift = compute_named({channels}, {"c"}, [&](const std::vector<Var>& v) {
    return Exprs{cast(t, beta(v[0])) - cast(t, mean(v[0])) * out.scale(v[0])};
  }, "shift");
  return out;
}

std::vector<Operand> batch_norm_operands(const std::string& channels) {
  std::vector<Operand> out = affine({}, channels, true);
  out.push_back({"mean", channels + ", of each channel", true});
  out.push_back({"var", channels + ", variance of each channel", true});
  return out;
}

const Operator& layer_norm() {
  static const Operator op{"layer_norm",
                           "every row less its mean, over its standard deviation, times gamma, plus beta",
                           rows(),
                           affine({{"X", "[m, n]"}}, "[n]", true),
                           {},
                           float_types(),
                           {{"LYN.1", {{"m", 128}, {"n", 768}}}, {"LYN.2", {{"m", 384}, {"n", 1024}}}, {"LYN.3", {{"m", 4096}, {"n", 4096}}}},
                           build_layer_norm};
  return op;
}

const Operator& rms_norm() {
  static const Operator op{"rms_norm", "every row over its root mean square, times gamma", rows(), affine({{"X", "[m, n]"}}, "[n]", false), {},
                           float_types(), {{"RMS.1", {{"m", 128}, {"n", 4096}}}}, build_rms_norm};
  return op;
}

const Operator& l2_normalize() {
  static const Operator op{"l2_normalize", "every row over its 2-norm", rows(), {{"X", "[m, n]"}}, {}, float_types(), {}, build_l2_normalize};
  return op;
}

const Operator& batch_norm() {
  static const Operator op = [] {
    std::vector<Operand> operands{{"X", "NHWC [n, h, w, c], NCHW [n, c, h, w]"}};
    for (Operand& o : batch_norm_operands("[c]")) operands.push_back(std::move(o));
    return Operator{"batch_norm",
                    "every channel less its mean, over its standard deviation, times gamma, plus beta",
                    {extent("n", 1, "images"), extent("h", 56, "rows of an image"), extent("w", 56, "columns of an image"),
                     extent("c", 64, "channels")},
                    std::move(operands),
                    image_layouts(2),
                    float_types(),
                    {},
                    build_batch_norm};
  }();
  return op;
}

}  // namespace tessera::ops
