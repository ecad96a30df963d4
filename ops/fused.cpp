#include "ops/fused.h"

#include "ops/conv.h"
#include "ops/elementwise.h"
#include "ops/matmul.h"

namespace tessera::ops {

using namespace dsl;

namespace {

Tensor build_conv(const Arguments& a) {
  const Operator& op = conv2d_bias_relu();
  check_conv2d(op.name, a);
  auto X = operand(op, "X", conv2d_input(a), a.dtype), W = operand(op, "W", conv2d_weight(a), a.dtype);
  auto bias = operand(op, "bias", {a["co"]}, a.dtype);
  const Tensor conv = conv2d_stages(a, X, W, "conv");
  const bool last = channels_last(a);
  const std::vector<std::string> axes = last ? std::vector<std::string>{"n", "y", "x", "co"} : std::vector<std::string>{"n", "co", "y", "x"};
  return compute_named(conv.shape(), axes, [&](const std::vector<Var>& v) {
    return ir::Exprs{relu_of(conv(v[0], v[1], v[2], v[3]) + bias(last ? v[3] : v[1]))};
  }, "Y");
}

Tensor build_dense(const Arguments& a) {
  const Operator& op = dense_bias_gelu();
  auto X = operand(op, "X", {a["m"], a["k"]}, a.dtype), W = operand(op, "W", {a["n"], a["k"]}, a.dtype);
  auto bias = operand(op, "bias", {a["n"]}, a.dtype);
  const Tensor product = dense_stage(X, W, "dense");
  // A stage of its own: the function reads its argument twice.
  const Tensor biased = compute(product.shape(), [&](Var i, Var j) { return product(i, j) + bias(j); }, "biased");
  return compute(product.shape(), [&](Var i, Var j) { return gelu_of(biased(i, j)); }, "Y");
}

Preset layer(const char* name, std::int64_t size, std::int64_t ci, std::int64_t co, std::int64_t k, std::int64_t stride, std::int64_t pad) {
  return {name, {{"h", size}, {"w", size}, {"ci", ci}, {"co", co}, {"kh", k}, {"kw", k}, {"stride", stride}, {"pad", pad}}};
}

}  // namespace

const Operator& conv2d_bias_relu() {
  static const Operator op{
      "conv2d_bias_relu",
      "conv2d, plus a bias for each output channel, negative results set to 0",
      conv2d_parameters(),
      {{"X", "NHWC [n, h, w, ci], NCHW [n, ci, h, w]"},
       {"W", "NHWC [kh, kw, ci/groups, co], NCHW [co, ci/groups, kh, kw]", true},
       {"bias", "[co]", true}},
      {"NHWC", "NCHW"},
      {f32, f64},
      {layer("CBR.1", 224, 3, 64, 7, 2, 3), layer("CBR.2", 56, 64, 128, 3, 2, 1), layer("CBR.3", 28, 128, 256, 1, 2, 0),
       layer("CBR.4", 7, 512, 512, 3, 1, 1), layer("CBR.5", 56, 64, 64, 3, 2, 1)},
      build_conv};
  return op;
}

const Operator& dense_bias_gelu() {
  static const Operator op{
      "dense_bias_gelu",
      "dense, plus a bias for each output, through gelu",
      {extent("m", 128, "rows of X and Y"), extent("n", 3072, "outputs: rows of W"), extent("k", 768, "inputs: columns of X and W")},
      {{"X", "[m, k]"}, {"W", "[n, k]", true}, {"bias", "[n]", true}},
      {},
      {f32, f64},
      {{"DBG.1", {{"m", 128}, {"n", 3072}, {"k", 768}}}, {"DBG.2", {{"m", 384}, {"n", 4096}, {"k", 1024}}}},
      build_dense};
  return op;
}

}  // namespace tessera::ops
