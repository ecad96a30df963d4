#include "ops/pool.h"

#include "ops/conv.h"

namespace tessera::ops {

using namespace dsl;

namespace {

/// One value a window: `combine` reduces it; padding holds `outside`.
template <class Combine>
Tensor windows(const Operator& op, const Arguments& a, const Expr& outside, const Combine& combine, const char* name) {
  const auto oh = window_extent(op.name, a, "h", "kh"), ow = window_extent(op.name, a, "w", "kw");
  TESSERA_USER_CHECK(a["pad"] < a["kh"] && a["pad"] < a["kw"])
      << "parameter 'pad' of " << op.name << " is " << a["pad"] << "; it must be less than kh (" << a["kh"] << ") and kw ("
      << a["kw"] << "), or a window would hold nothing but padding";
  const bool last = channels_last(a);
  auto X = operand(op, "X", last ? ir::Exprs{a["n"], a["h"], a["w"], a["c"]} : ir::Exprs{a["n"], a["c"], a["h"], a["w"]}, a.dtype);
  const Tensor P = padded(X, a["pad"], outside, last);
  auto rh = reduce_axis(a["kh"], "rh"), rw = reduce_axis(a["kw"], "rw");
  const auto stride = a["stride"];
  if (last) {
    return compute_named({a["n"], oh, ow, a["c"]}, {"n", "y", "x", "c"}, [&](const std::vector<Var>& v) {
      return ir::Exprs{combine(P(v[0], v[1] * stride + rh, v[2] * stride + rw, v[3]), {rh, rw})};
    }, name);
  }
  return compute_named({a["n"], a["c"], oh, ow}, {"n", "c", "y", "x"}, [&](const std::vector<Var>& v) {
    return ir::Exprs{combine(P(v[0], v[1], v[2] * stride + rh, v[3] * stride + rw), {rh, rw})};
  }, name);
}

Tensor build_max(const Arguments& a) {
  return windows(max_pool2d(), a, lowest(a.dtype), [](const Expr& e, const ReduceVars& r) { return max(e, r); }, "Y");
}

Tensor build_avg(const Arguments& a) {
  const Tensor total = windows(avg_pool2d(), a, ir::constant_of(a.dtype, 0),
                               [](const Expr& e, const ReduceVars& r) { return sum(e, r); }, "Ysum");
  const auto count = static_cast<double>(a["kh"] * a["kw"]);
  return compute(total.shape(), [&](const std::vector<Var>& v) {
    return total.at(ir::Exprs(v.begin(), v.end())) / ir::constant_of(a.dtype, count);
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
                           kOperands, {"NHWC", "NCHW"}, {f32, f64, i8, i32}, {}, build_max};
  return op;
}

const Operator& avg_pool2d() {
  static const Operator op{"avg_pool2d", "the mean of every window; padding counts as zeros", parameters(),
                           kOperands, {"NHWC", "NCHW"}, {f32, f64}, {}, build_avg};
  return op;
}

}  // namespace tessera::ops
