#include "ops/fused.h"

#include "ops/conv.h"
#include "ops/elementwise.h"
#include "ops/matmul.h"
#include "ops/norm.h"

namespace tessera::ops {

using namespace dsl;

namespace {

/// Y = relu(f(element, channel)) of a convolution of the operands X and W.
template <class F>
Tensor conv_then_relu(const Operator& op, const Arguments& a, const F& f) {
  check_conv(op.name, a);
  const auto X = operand(op, "X", conv_input(a), a.dtype), W = operand(op, "W", conv_weight(a), a.dtype);
  const Tensor conv = conv_stages(a, X, W, "conv");
  const Image image(a.layout);
  return compute_named(conv.shape(), image.axes("co"), [&](const std::vector<Var>& v) {
    return Exprs{relu_of(f(conv.at(Exprs(v.begin(), v.end())), v[image.channel()]))};
  }, "Y");
}

Tensor build_conv_bias(const Arguments& a) {
  const auto bias = operand(conv2d_bias_relu(), "bias", {a["co"]}, a.dtype);
  return conv_then_relu(conv2d_bias_relu(), a, [&](const Expr& e, const Var& c) { return e + cast(e.type(), bias(c)); });
}

Tensor build_conv_bn(const Arguments& a) {
  const ChannelAffine affine = batch_norm_affine(conv2d_bn_relu(), a["co"], a.dtype);
  return conv_then_relu(conv2d_bn_relu(), a, [&](const Expr& e, const Var& c) { return e * affine.scale(c) + affine.shift(c); });
}

/// gelu(product + bias), for the operand bias.
Tensor bias_gelu(const Operator& op, const Arguments& a, const Tensor& product) {
  const auto bias = operand(op, "bias", {a["n"]}, a.dtype);
  // A stage of its own: the function reads its argument twice.
  const Tensor biased = compute(product.shape(), [&](Var i, Var j) { return product(i, j) + cast(product.dtype(), bias(j)); }, "biased");
  return compute(product.shape(), [&](Var i, Var j) { return gelu_of(biased(i, j)); }, "Y");
}

Tensor build_dense(const Arguments& a) {
  const Operator& op = dense_bias_gelu();
  const auto X = operand(op, "X", {a["m"], a["k"]}, a.dtype), W = operand(op, "W", {a["n"], a["k"]}, a.dtype);
  return bias_gelu(op, a, dense_stage(X, W, "dense"));
}

Tensor build_matmul(const Arguments& a) {
  const Operator& op = matmul_bias_gelu();
  const auto A = operand(op, "A", {a["m"], a["k"]}, a.dtype), B = operand(op, "B", {a["k"], a["n"]}, a.dtype);
  return bias_gelu(op, a, matmul_stage(A, B, "matmul"));
}

std::vector<Operand> with_conv(std::vector<Operand> more) {
  std::vector<Operand> out = conv_operands(2);
  for (Operand& o : more) out.push_back(std::move(o));
  return out;
}

Preset layer(const char* name, std::int64_t size, std::int64_t ci, std::int64_t co, std::int64_t k, std::int64_t stride, std::int64_t pad) {
  return {name, conv_shape(2, size, ci, co, k, stride, pad)};
}

}  // namespace

const Operator& conv2d_bias_relu() {
  static const Operator op{
      "conv2d_bias_relu",
      "conv2d, plus a bias for each output channel, negative results set to 0",
      conv_parameters(2),
      with_conv({{"bias", "[co]", true}}),
      image_layouts(2),
      float_types(),
      {layer("CBR.1", 224, 3, 64, 7, 2, 3), layer("CBR.2", 56, 64, 128, 3, 2, 1), layer("CBR.3", 28, 128, 256, 1, 2, 0),
       layer("CBR.4", 7, 512, 512, 3, 1, 1), layer("CBR.5", 56, 64, 64, 3, 2, 1)},
      build_conv_bias};
  return op;
}

const Operator& conv2d_bn_relu() {
  static const Operator op{
      "conv2d_bn_relu",
      "conv2d, then batch_norm, negative results set to 0",
      conv_parameters(2),
      with_conv(batch_norm_operands("[co]")),
      image_layouts(2),
      float_types(),
      {layer("ConvLayer.1", 224, 3, 64, 7, 2, 3), layer("ConvLayer.2", 56, 64, 64, 3, 2, 1), layer("ConvLayer.3", 28, 128, 256, 1, 2, 0),
       layer("ConvLayer.4", 7, 512, 512, 3, 1, 1), layer("ConvLayer.5", 56, 64, 128, 3, 2, 1)},
      build_conv_bn};
  return op;
}

const Operator& dense_bias_gelu() {
  static const Operator op{
      "dense_bias_gelu",
      "dense, plus a bias for each output, through gelu",
      {extent("m", 128, "rows of X and Y"), extent("n", 3072, "outputs: rows of W"), extent("k", 768, "inputs: columns of X and W")},
      {{"X", "[m, k]"}, {"W", "[n, k]", true}, {"bias", "[n]", true}},
      {},
      float_types(),
      {{"DBG.1", {{"m", 128}, {"n", 3072}, {"k", 768}}}, {"DBG.2", {{"m", 384}, {"n", 4096}, {"k", 1024}}}},
      build_dense};
  return op;
}

const Operator& matmul_bias_gelu() {
  static const Operator op{
      "matmul_bias_gelu",
      "matmul, plus a bias for each column, through gelu",
      {extent("m", 128, "rows of A and Y"), extent("n", 3072, "columns of B and Y"), extent("k", 768, "columns of A, rows of B")},
      {{"A", "[m, k]"}, {"B", "[k, n]", true}, {"bias", "[n]", true}},
      {},
      float_types(),
      {{"MBG.1", {{"m", 128}, {"n", 3072}, {"k", 768}}}, {"MBG.2", {{"m", 384}, {"n", 4096}, {"k", 1024}}}},
      build_matmul};
  return op;
}

}  // namespace tessera::ops
