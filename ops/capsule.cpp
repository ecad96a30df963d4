#include "ops/capsule.h"

namespace tessera::ops {

using namespace dsl;

namespace {

Tensor build_capsule(const Arguments& given) {
  const Operator& op = capsule_conv2d();
  Arguments a = given;
  a.layout = "NHWC";  // of the pixels, each of which is a matrix for every channel
  const auto size = a["capsule"], ci = a["ci"], co = a["co"], pad = a["pad"], stride = a["stride"];
  const Type acc = accumulator(a.dtype);
  const Exprs outputs = window_extents(op.name, a);
  const auto X = operand(op, "X", {a["n"], a["h"], a["w"], size, size, ci}, a.dtype);
  const auto W = operand(op, "W", {a["kh"], a["kw"], size, size, ci, co}, weight_type(a.dtype));
  const Margin none, around{pad, pad};
  const Tensor P = padded(X, {none, around, around, none, none, none}, ir::constant_of(a.dtype, 0), {"n", "y", "x", "i", "k", "c"});
  const auto rh = reduce_axis(a["kh"], "rh"), rw = reduce_axis(a["kw"], "rw"), k = reduce_axis(size, "k"), rc = reduce_axis(ci, "rc");
  return compute_named({a["n"], outputs[0], outputs[1], size, size, co}, {"n", "y", "x", "i", "j", "co"}, [&](const std::vector<Var>& v) {
    const Expr pixel = P(v[0], v[1] * stride + rh, v[2] * stride + rw, v[3], k, rc);
    return Exprs{sum(cast(acc, pixel) * cast(acc, W(rh, rw, k, v[4], rc, v[5])), rh, rw, k, rc)};
  }, "Y");
}

Shape capsules(std::int64_t size, std::int64_t ci, std::int64_t co, std::int64_t stride) {
  return square(2, size, 3, stride, 1, {{"ci", ci}, {"co", co}});
}

}  // namespace

const Operator& capsule_conv2d() {
  static const Operator op{
      "capsule_conv2d",
      "conv2d whose pixels and weights are square matrices, multiplied as such",
      {extent("n", 1, "images"), extent("h", 16, "rows of an image"), extent("w", 16, "columns of an image"),
       extent("ci", 32, "input channels"), extent("co", 32, "output channels"), extent("kh", 3, "rows of the kernel"),
       extent("kw", 3, "columns of the kernel"), stride_parameter(2), pad_parameter(), extent("capsule", 4, "rows and columns of a matrix")},
      {{"X", "[n, h, w, capsule, capsule, ci]"}, {"W", "[kh, kw, capsule, capsule, ci, co]", true}},
      {},
      product_types(),
      {{"CAP.1", capsules(16, 32, 32, 2)}, {"CAP.2", capsules(8, 32, 32, 1)}, {"CAP.3", capsules(16, 8, 16, 2)},
       {"CAP.4", capsules(8, 16, 16, 1)}},
      build_capsule};
  return op;
}

}  // namespace tessera::ops
