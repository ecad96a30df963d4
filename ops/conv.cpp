#include "ops/conv.h"

namespace tessera::ops {

using namespace dsl;

namespace {

const std::vector<std::string> kLayouts{"NHWC", "NCHW"};

Tensor build_conv2d(const Arguments& a) {
  const Operator& op = conv2d();
  check_conv2d(op.name, a);
  return conv2d_stages(a, operand(op, "X", conv2d_input(a), a.dtype), operand(op, "W", conv2d_weight(a), a.dtype), "Y");
}

Tensor build_depthwise(const Arguments& a) {
  const Operator& op = depthwise_conv2d();
  const auto oh = window_extent(op.name, a, "h", "kh"), ow = window_extent(op.name, a, "w", "kw");
  const bool last = channels_last(a);
  const Type acc = accumulator(a.dtype);
  auto X = operand(op, "X", last ? ir::Exprs{a["n"], a["h"], a["w"], a["c"]} : ir::Exprs{a["n"], a["c"], a["h"], a["w"]}, a.dtype);
  auto W = operand(op, "W", last ? ir::Exprs{a["kh"], a["kw"], a["c"]} : ir::Exprs{a["c"], a["kh"], a["kw"]}, a.dtype);
  const Tensor P = padded(X, a["pad"], ir::constant_of(a.dtype, 0), last);
  auto rh = reduce_axis(a["kh"], "rh"), rw = reduce_axis(a["kw"], "rw");
  const auto stride = a["stride"], dilation = a["dilation"];
  const auto value = [&](Var n, Var y, Var x, Var c) {
    const Expr row = y * stride + rh * dilation, column = x * stride + rw * dilation;
    const Expr image = last ? P(n, row, column, c) : P(n, c, row, column);
    const Expr weight = last ? W(rh, rw, c) : W(c, rh, rw);
    return ir::Exprs{sum(cast(acc, image) * cast(acc, weight), rh, rw)};
  };
  if (last) {
    return compute_named({a["n"], oh, ow, a["c"]}, {"n", "y", "x", "c"},
                         [&](const std::vector<Var>& v) { return value(v[0], v[1], v[2], v[3]); }, "Y");
  }
  return compute_named({a["n"], a["c"], oh, ow}, {"n", "c", "y", "x"},
                       [&](const std::vector<Var>& v) { return value(v[0], v[2], v[3], v[1]); }, "Y");
}

Shape conv(std::int64_t size, std::int64_t ci, std::int64_t co, std::int64_t k, std::int64_t stride, std::int64_t pad,
           std::int64_t dilation = 1, std::int64_t groups = 1) {
  return {{"h", size}, {"w", size}, {"ci", ci}, {"co", co}, {"kh", k}, {"kw", k}, {"stride", stride}, {"pad", pad},
          {"dilation", dilation}, {"groups", groups}};
}

Shape depthwise(std::int64_t size, std::int64_t c, std::int64_t k, std::int64_t stride, std::int64_t pad) {
  return {{"h", size}, {"w", size}, {"c", c}, {"kh", k}, {"kw", k}, {"stride", stride}, {"pad", pad}};
}

}  // namespace

bool channels_last(const Arguments& a) { return a.layout == "NHWC"; }

std::int64_t window_extent(const std::string& op, const Arguments& a, const char* input, const char* kernel) {
  const auto dilation = a.shape.count("dilation") != 0 ? a["dilation"] : 1;
  const std::int64_t reach = dilation * (a[kernel] - 1) + 1, padded = a[input] + 2 * a["pad"];
  TESSERA_USER_CHECK(reach <= padded) << "parameter '" << kernel << "' of " << op << " is " << a[kernel] << (dilation > 1 ? ", dilated " : ", reach ")
                                      << reach << ", which is more than the padded input has (" << padded << "); at most "
                                      << (padded - 1) / dilation + 1 << " works";
  return (padded - reach) / a["stride"] + 1;
}

Tensor padded(const Tensor& x, std::int64_t pad, const ir::Expr& value, bool channels_last) {
  if (pad == 0) return x;
  const std::size_t rows = channels_last ? 1 : 2, columns = rows + 1;
  ir::Exprs shape = x.shape();
  shape[rows] = shape[rows] + 2 * pad;
  shape[columns] = shape[columns] + 2 * pad;
  const auto body = [&](const std::vector<Var>& v) {
    const Expr &h = x.shape()[rows], &w = x.shape()[columns];
    ir::Exprs at(v.begin(), v.end());
    at[rows] = v[rows] - pad;
    at[columns] = v[columns] - pad;
    const Expr inside = v[rows] >= pad && v[rows] < h + pad && v[columns] >= pad && v[columns] < w + pad;
    return ir::Exprs{if_then_else(inside, x.at(at), value)};
  };
  const std::vector<std::string> axes = channels_last ? std::vector<std::string>{"n", "y", "x", "c"} : std::vector<std::string>{"n", "c", "y", "x"};
  return compute_named(shape, axes, body, x.name() + "pad");
}

ir::Exprs conv2d_input(const Arguments& a) {
  return channels_last(a) ? ir::Exprs{a["n"], a["h"], a["w"], a["ci"]} : ir::Exprs{a["n"], a["ci"], a["h"], a["w"]};
}

ir::Exprs conv2d_weight(const Arguments& a) {
  const auto ci = a["ci"] / a["groups"];
  return channels_last(a) ? ir::Exprs{a["kh"], a["kw"], ci, a["co"]} : ir::Exprs{a["co"], ci, a["kh"], a["kw"]};
}

void check_conv2d(const std::string& op, const Arguments& a) {
  const auto groups = a["groups"];
  for (const char* channels : {"ci", "co"}) {
    TESSERA_USER_CHECK(a[channels] % groups == 0) << "parameter 'groups' of " << op << " is " << groups << ", which does not divide '"
                                                  << channels << "' (" << a[channels] << "); a divisor of ci and co works";
  }
  window_extent(op, a, "h", "kh");
  window_extent(op, a, "w", "kw");
}

Tensor conv2d_stages(const Arguments& a, const Tensor& x, const Tensor& w, const std::string& name) {
  const auto oh = window_extent(name, a, "h", "kh"), ow = window_extent(name, a, "w", "kw");
  const bool last = channels_last(a);
  const Type acc = accumulator(a.dtype);
  const auto groups = a["groups"], ci = a["ci"] / groups, co = a["co"] / groups;
  const Tensor P = padded(x, a["pad"], ir::constant_of(a.dtype, 0), last);
  auto rh = reduce_axis(a["kh"], "rh"), rw = reduce_axis(a["kw"], "rw"), rc = reduce_axis(ci, "rc");
  const auto stride = a["stride"], dilation = a["dilation"];
  const auto value = [&](Var n, Var y, Var xx, Var c) {
    const Expr row = y * stride + rh * dilation, column = xx * stride + rw * dilation;
    // A group of output channels reads its own input channels.
    const Expr channel = groups == 1 ? Expr(rc) : floordiv(c, co) * ci + rc;
    const Expr image = last ? P(n, row, column, channel) : P(n, channel, row, column);
    const Expr weight = last ? w(rh, rw, rc, c) : w(c, rc, rh, rw);
    const Expr product = cast(acc, image) * cast(acc, weight);
    return ir::Exprs{last ? sum(product, rh, rw, rc) : sum(product, rc, rh, rw)};
  };
  if (last) {
    return compute_named({a["n"], oh, ow, a["co"]}, {"n", "y", "x", "co"},
                         [&](const std::vector<Var>& v) { return value(v[0], v[1], v[2], v[3]); }, name);
  }
  return compute_named({a["n"], a["co"], oh, ow}, {"n", "co", "y", "x"},
                       [&](const std::vector<Var>& v) { return value(v[0], v[2], v[3], v[1]); }, name);
}

std::vector<Parameter> conv2d_parameters() {
  return {extent("n", 1, "images"),
          extent("h", 56, "rows of an image"),
          extent("w", 56, "columns of an image"),
          extent("ci", 64, "input channels"),
          extent("co", 64, "output channels"),
          extent("kh", 3, "rows of the kernel"),
          extent("kw", 3, "columns of the kernel"),
          {"stride", 1, 1, 65536, "steps between outputs, in both directions"},
          {"pad", 1, 0, 65536, "zeros around an image, on each side"},
          {"dilation", 1, 1, 65536, "steps between elements of the kernel"},
          {"groups", 1, 1, INT32_MAX, "parts of the channels that do not meet"}};
}

const Operator& conv2d() {
  static const Operator op{
      "conv2d",
      "convolution of images, with stride, padding, dilation and groups",
      conv2d_parameters(),
      {{"X", "NHWC [n, h, w, ci], NCHW [n, ci, h, w]"},
       {"W", "NHWC [kh, kw, ci/groups, co], NCHW [co, ci/groups, kh, kw]", true}},
      kLayouts,
      {f32, f64, i8, i32},
      {{"C2D.1", conv(224, 3, 64, 7, 2, 3)},
       {"C2D.2", conv(56, 64, 64, 1, 1, 0)},
       {"C2D.3", conv(14, 256, 256, 3, 1, 1)},
       {"C2D.4", conv(7, 512, 512, 3, 1, 1)},
       {"GRP.1", conv(56, 64, 128, 3, 2, 1, 1, 4)},
       {"GRP.2", conv(56, 64, 64, 1, 1, 0, 1, 4)},
       {"GRP.3", conv(14, 256, 256, 3, 1, 1, 1, 4)},
       {"GRP.4", conv(7, 512, 512, 3, 1, 1, 1, 4)},
       {"DIL.1", conv(224, 3, 64, 7, 2, 3, 2)},
       {"DIL.2", conv(56, 64, 64, 1, 1, 0, 2)},
       {"DIL.3", conv(14, 256, 256, 3, 1, 1, 2)},
       {"DIL.4", conv(7, 512, 512, 3, 1, 1, 2)},
       {"RES.1", conv(56, 64, 64, 3, 1, 1)},
       {"RES.2", conv(28, 128, 128, 3, 1, 1)},
       {"RES.3", conv(56, 128, 128, 3, 2, 1)},
       {"RES.4", conv(56, 64, 256, 1, 1, 0)},
       {"RES.5", conv(56, 256, 64, 1, 1, 0)},
       {"RES.6", conv(14, 1024, 256, 1, 1, 0)},
       {"RES.7", conv(56, 256, 512, 1, 2, 0)}},
      build_conv2d};
  return op;
}

const Operator& depthwise_conv2d() {
  static const Operator op{
      "depthwise_conv2d",
      "convolution of every channel with a kernel of its own",
      {extent("n", 1, "images"), extent("h", 112, "rows of an image"), extent("w", 112, "columns of an image"),
       extent("c", 32, "channels"), extent("kh", 3, "rows of the kernel"), extent("kw", 3, "columns of the kernel"),
       {"stride", 1, 1, 65536, "steps between outputs, in both directions"},
       {"pad", 1, 0, 65536, "zeros around an image, on each side"},
       {"dilation", 1, 1, 65536, "steps between elements of the kernel"}},
      {{"X", "NHWC [n, h, w, c], NCHW [n, c, h, w]"}, {"W", "NHWC [kh, kw, c], NCHW [c, kh, kw]", true}},
      kLayouts,
      {f32, f64, i8, i32},
      {{"DEP.1", depthwise(112, 32, 3, 1, 1)},
       {"DEP.2", depthwise(112, 64, 3, 2, 1)},
       {"DEP.3", depthwise(14, 512, 3, 2, 1)},
       {"DEP.4", depthwise(7, 1024, 3, 1, 1)},
       {"DEP.5", depthwise(56, 144, 3, 1, 1)},
       {"DEP.6", depthwise(112, 96, 3, 2, 1)}},
      build_depthwise};
  return op;
}

}  // namespace tessera::ops
