#include "ops/depthwise.h"

namespace tessera::ops {

using namespace dsl;

namespace {

/// Stages of X with one kernel of `w` a channel, the last under that name.
Tensor depthwise_stages(const std::string& op, const Arguments& a, const Tensor& x, const Tensor& w, const std::string& name) {
  const Image image(a.layout);
  const Type acc = accumulator(a.dtype);
  const Exprs outputs = window_extents(op, a);
  const Tensor P = padded_image(a, x, ir::constant_of(a.dtype, 0));
  const ReduceVars window = window_axes(a);
  const auto body = [&](const std::vector<Var>& v) {
    const Var c = v[image.channel()];
    Exprs weight(window.begin(), window.end());
    weight.insert(image.channels_last() ? weight.end() : weight.begin(), c);
    const Expr pixel = P.at(image.order<Expr>(v[0], window_at(a, v, window), c));
    return Exprs{sum(cast(acc, pixel) * cast(acc, w.at(weight)), window)};
  };
  return compute_named(image.order<Expr>(a["n"], outputs, a["c"]), image.axes("c"), body, name);
}

Exprs depthwise_weight(const Arguments& a) {
  return Image(a.layout).channels_last() ? Exprs{a["kh"], a["kw"], a["c"]} : Exprs{a["c"], a["kh"], a["kw"]};
}

Tensor build_depthwise(const Arguments& a) {
  const Operator& op = depthwise_conv2d();
  const auto X = operand(op, "X", image_shape(a, a["c"]), a.dtype), W = operand(op, "W", depthwise_weight(a), weight_type(a.dtype));
  return depthwise_stages(op.name, a, X, W, "Y");
}

Tensor build_pointwise(const Arguments& a) {
  const Operator& op = depthwise_pointwise();
  const Image image(a.layout);
  const auto c = a["c"], co = a["co"];
  const auto X = operand(op, "X", image_shape(a, c), a.dtype), D = operand(op, "D", depthwise_weight(a), a.dtype);
  const auto W = operand(op, "W", image.channels_last() ? Exprs{c, co} : Exprs{co, c}, a.dtype);
  const Tensor each = depthwise_stages(op.name, a, X, D, "each");
  const auto rc = reduce_axis(c, "rc");
  Exprs shape = each.shape();
  shape[image.channel()] = co;
  return compute_named(shape, image.axes("co"), [&](const std::vector<Var>& v) {
    const Var out = v[image.channel()];
    Exprs at(v.begin(), v.end());
    at[image.channel()] = rc;
    const Expr weight = image.channels_last() ? W(rc, out) : W(out, rc);
    return Exprs{sum(each.at(at) * cast(each.dtype(), weight), rc)};
  }, "Y");
}

std::vector<Parameter> parameters() {
  std::vector<Parameter> out{extent("n", 1, "images")};
  for (Parameter& p : image_extents(2, 112)) out.push_back(std::move(p));
  out.push_back(extent("c", 32, "channels"));
  for (Parameter& p : kernel_extents(2, 3)) out.push_back(std::move(p));
  out.push_back(stride_parameter());
  out.push_back(pad_parameter());
  out.push_back(dilation_parameter());
  return out;
}

std::vector<Parameter> pointwise_parameters() {
  std::vector<Parameter> out = parameters();
  out.push_back(extent("co", 64, "output channels"));
  return out;
}

Shape depthwise(std::int64_t size, std::int64_t c, std::int64_t k, std::int64_t stride, std::int64_t pad) {
  return square(2, size, k, stride, pad, {{"c", c}});
}

Shape separable(std::int64_t size, std::int64_t c, std::int64_t co, std::int64_t stride) {
  return square(2, size, 3, stride, 1, {{"c", c}, {"co", co}});
}

}  // namespace

const Operator& depthwise_conv2d() {
  static const Operator op{"depthwise_conv2d",
                           "convolution of every channel with a kernel of its own",
                           parameters(),
                           {{"X", "NHWC [n, h, w, c], NCHW [n, c, h, w]"}, {"W", "NHWC [kh, kw, c], NCHW [c, kh, kw]", true}},
                           image_layouts(2),
                           product_types(),
                           {{"DEP.1", depthwise(112, 32, 3, 1, 1)},
                            {"DEP.2", depthwise(112, 64, 3, 2, 1)},
                            {"DEP.3", depthwise(14, 512, 3, 2, 1)},
                            {"DEP.4", depthwise(7, 1024, 3, 1, 1)},
                            {"DEP.5", depthwise(56, 144, 3, 1, 1)},
                            {"DEP.6", depthwise(112, 96, 3, 2, 1)}},
                           build_depthwise};
  return op;
}

const Operator& depthwise_pointwise() {
  static const Operator op{"depthwise_pointwise",
                           "depthwise_conv2d, then a convolution with a kernel of one pixel",
                           pointwise_parameters(),
                           {{"X", "NHWC [n, h, w, c], NCHW [n, c, h, w]"},
                            {"D", "NHWC [kh, kw, c], NCHW [c, kh, kw]", true},
                            {"W", "NHWC [c, co], NCHW [co, c]", true}},
                           image_layouts(2),
                           float_types(),
                           {{"DPW.1", separable(112, 32, 64, 1)},
                            {"DPW.2", separable(112, 64, 128, 2)},
                            {"DPW.3", separable(56, 128, 128, 1)},
                            {"DPW.4", separable(14, 512, 512, 1)},
                            {"DPW.5", separable(7, 1024, 1024, 1)}},
                           build_pointwise};
  return op;
}

}  // namespace tessera::ops
