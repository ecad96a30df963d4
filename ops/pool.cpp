#include "ops/pool.h"

#include "ops/image.h"

namespace tessera::ops {

using namespace dsl;

namespace {

/// One value a window: `combine` reduces it; padding holds `outside`.
template <class Combine>
Tensor windows(const Operator& op, const Arguments& a, const Expr& outside, const Combine& combine, const char* name) {
  const Exprs outputs = window_extents(op.name, a);
  TESSERA_USER_CHECK(a["pad"] < a["kh"] && a["pad"] < a["kw"])
      << "parameter 'pad' of " << op.name << " is " << a["pad"] << "; it must be less than kh (" << a["kh"] << ") and kw ("
      << a["kw"] << "), or a window would hold nothing but padding";
  const Image image(a.layout);
  const Tensor P = padded_image(a, operand(op, "X", image_shape(a, a["c"]), a.dtype), outside);
  const ReduceVars window = window_axes(a);
  return compute_named(image.order<Expr>(a["n"], outputs, a["c"]), image.axes("c"), [&](const std::vector<Var>& v) {
    return Exprs{combine(P.at(image.order<Expr>(v[0], window_at(a, v, window), v[image.channel()])), window)};
  }, name);
}

Tensor build_max(const Arguments& a) {
  return windows(max_pool2d(), a, lowest(a.dtype), [](const Expr& e, const ReduceVars& r) { return max(e, r); }, "Y");
}

Tensor build_avg(const Arguments& a) {
  const Tensor total = windows(avg_pool2d(), a, ir::constant_of(a.dtype, 0),
                               [](const Expr& e, const ReduceVars& r) { return sum(cast(accumulator(e.type()), e), r); }, "Ysum");
  const auto count = static_cast<double>(a["kh"] * a["kw"]);
  return compute(total.shape(), [&](const std::vector<Var>& v) {
    return cast(a.dtype, total.at(Exprs(v.begin(), v.end())) / ir::constant_of(total.dtype(), count));
  }, "Y");
}

Tensor build_global(const Arguments& a) {
  const Operator& op = global_avg_pool2d();
  const Image image(a.layout);
  const auto X = operand(op, "X", image_shape(a, a["c"]), a.dtype);
  const Type acc = accumulator(a.dtype);
  const auto rh = reduce_axis(a["h"], "rh"), rw = reduce_axis(a["w"], "rw");
  const Tensor total = compute_named({a["n"], a["c"]}, {"n", "c"}, [&](const std::vector<Var>& v) {
    return Exprs{sum(cast(acc, X.at(image.order<Expr>(v[0], {rh, rw}, v[1]))), rh, rw)};
  }, "Ysum");
  const auto count = static_cast<double>(a["h"] * a["w"]);
  return compute_named(total.shape(), {"n", "c"}, [&](const std::vector<Var>& v) {
    return Exprs{cast(a.dtype, total(v[0], v[1]) / ir::constant_of(acc, count))};
  }, "Y");
}

std::vector<Parameter> parameters() {
  return {extent("n", 1, "images"), extent("h", 112, "rows of an image"), extent("w", 112, "columns of an image"),
          extent("c", 64, "channels"), extent("kh", 3, "rows of a window"), extent("kw", 3, "columns of a window"),
          {"stride", 2, 1, 65536, "steps between windows, in both directions"},
          {"pad", 1, 0, 65536, "rows and columns around an image, on each side"}};
}

const std::vector<Operand> kOperands{{"X", "NHWC [n, h, w, c], NCHW [n, c, h, w]"}};

}  // namespace

const Operator& max_pool2d() {
  static const Operator op{"max_pool2d", "the largest element of every window; padding never wins", parameters(),
                           kOperands, image_layouts(2), {f32, f64, f16, bf16, i8, u8, i32}, {}, build_max};
  return op;
}

const Operator& avg_pool2d() {
  static const Operator op{"avg_pool2d", "the mean of every window; padding counts as zeros", parameters(),
                           kOperands, image_layouts(2), float_types(), {}, build_avg};
  return op;
}

const Operator& global_avg_pool2d() {
  static const Operator op{"global_avg_pool2d", "the mean of every channel of an image",
                           {extent("n", 1, "images"), extent("h", 7, "rows of an image"), extent("w", 7, "columns of an image"),
                            extent("c", 2048, "channels")},
                           kOperands, image_layouts(2), float_types(), {}, build_global};
  return op;
}

}  // namespace tessera::ops
