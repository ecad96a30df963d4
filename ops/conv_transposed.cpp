// Input pixel i adds X[i] * W[r] to output i * stride + r - pad, so output y = q * stride + p sums over the
// taps t with r = (p + pad) mod stride + t * stride and i = q + (p + pad) div stride - t. Outputs of one
// phase p = y mod stride form a dense convolution of their own, and none of its products is with a zero
// that stride would put between the pixels. (A kernel that stride does not divide is filled up with zeros.)
#include "ops/conv_transposed.h"

namespace tessera::ops {

using namespace dsl;

namespace {

std::int64_t ceil_of(std::int64_t a, std::int64_t b) { return (a + b - 1) / b; }

/// One spatial axis.
struct Phases {
  std::int64_t output;  // extent
  std::int64_t each;    // outputs of one phase
  std::int64_t taps;    // of one output
  Margin margin;        // around the input
  std::int64_t filled;  // zeros after the kernel
};

Phases phases_of(const std::string& op, const Arguments& a, const char* input, const char* kernel) {
  const auto stride = a["stride"], pad = a["pad"], size = a[input], k = a[kernel];
  Phases p;
  p.output = (size - 1) * stride - 2 * pad + k + a["output_pad"];
  TESSERA_USER_CHECK(p.output > 0) << "parameter 'pad' of " << op << " is " << pad << ", which leaves nothing of an output of "
                                   << p.output + 2 * pad << " along '" << input << "'; at most " << (p.output + 2 * pad - 1) / 2 << " works";
  p.each = ceil_of(p.output, stride);
  p.taps = ceil_of(k, stride);
  p.margin.before = std::max<std::int64_t>(0, p.taps - 1 - pad / stride);
  p.margin.after = std::max<std::int64_t>(0, p.each - 1 + (stride - 1 + pad) / stride - (size - 1));
  p.filled = p.taps * stride - k;
  return p;
}

Tensor build_transposed(const Arguments& a) {
  const Operator& op = conv2d_transposed();
  const auto stride = a["stride"], pad = a["pad"], ci = a["ci"], co = a["co"];
  TESSERA_USER_CHECK(a["output_pad"] < stride) << "parameter 'output_pad' of " << op.name << " is " << a["output_pad"]
                                               << "; less than stride (" << stride << ") works";
  const Phases h = phases_of(op.name, a, "h", "kh"), w = phases_of(op.name, a, "w", "kw");
  const Image image(a.layout);
  const bool last = image.channels_last();
  const Type acc = accumulator(a.dtype), weights = weight_type(a.dtype);
  const auto X = operand(op, "X", image_shape(a, ci), a.dtype);
  const auto W = operand(op, "W", last ? Exprs{a["kh"], a["kw"], ci, co} : Exprs{ci, co, a["kh"], a["kw"]}, weights);
  const Margin none, fill_h{0, h.filled}, fill_w{0, w.filled};
  const Tensor P = padded(X, image.order<Margin>(none, {h.margin, w.margin}, none), ir::constant_of(a.dtype, 0), image.axes("c"));
  const Tensor K = padded(W, last ? std::vector<Margin>{fill_h, fill_w, none, none} : std::vector<Margin>{none, none, fill_h, fill_w},
                          ir::constant_of(weights, 0),
                          last ? std::vector<std::string>{"r", "s", "ci", "co"} : std::vector<std::string>{"ci", "co", "r", "s"});

  const auto th = reduce_axis(h.taps, "th"), tw = reduce_axis(w.taps, "tw"), rc = reduce_axis(ci, "rc");
  // Phases are outermost, so that each is a nest like that of conv2d.
  const auto product = [&](const Var& n, const Var& ph, const Var& pw, const Var& y, const Var& x, const Var& c) {
    const Expr row = y + floordiv(ph + pad, stride) - th + h.margin.before, column = x + floordiv(pw + pad, stride) - tw + w.margin.before;
    const Expr r = floormod(ph + pad, stride) + th * stride, s = floormod(pw + pad, stride) + tw * stride;
    const Expr weight = last ? K(r, s, rc, c) : K(rc, c, r, s);
    return Exprs{sum(cast(acc, P.at(image.order<Expr>(n, {row, column}, rc))) * cast(acc, weight),
                     last ? ReduceVars{th, tw, rc} : ReduceVars{rc, th, tw})};
  };
  const Tensor parts =
      last ? compute_named({a["n"], stride, stride, h.each, w.each, co}, {"n", "ph", "pw", "y", "x", "co"},
                           [&](const std::vector<Var>& v) { return product(v[0], v[1], v[2], v[3], v[4], v[5]); }, "phases")
           : compute_named({a["n"], stride, stride, co, h.each, w.each}, {"n", "ph", "pw", "co", "y", "x"},
                           [&](const std::vector<Var>& v) { return product(v[0], v[1], v[2], v[4], v[5], v[3]); }, "phases");
  return compute_named(image.order<Expr>(a["n"], {h.output, w.output}, co), image.axes("co"), [&](const std::vector<Var>& v) {
    const std::vector<Var> at = image.spatial_of(v);
    const Exprs within = image.order<Expr>(v[0], {floordiv(at[0], stride), floordiv(at[1], stride)}, v[image.channel()]);
    Exprs index{within[0], floormod(at[0], stride), floormod(at[1], stride)};
    index.insert(index.end(), within.begin() + 1, within.end());
    return Exprs{parts.at(index)};
  }, "Y");
}

Shape transposed(std::int64_t size, std::int64_t ci, std::int64_t co) { return square(2, size, 4, 2, 1, {{"ci", ci}, {"co", co}}); }

}  // namespace

const Operator& conv2d_transposed() {
  static const Operator op{
      "conv2d_transposed",
      "the transpose of conv2d: images grow by stride",
      {extent("n", 1, "images"), extent("h", 16, "rows of an image"), extent("w", 16, "columns of an image"),
       extent("ci", 128, "input channels"), extent("co", 64, "output channels"), extent("kh", 4, "rows of the kernel"),
       extent("kw", 4, "columns of the kernel"),
       {"stride", 2, 1, 64, "outputs from one input to the next, in both directions"},
       {"pad", 1, 0, 65536, "outputs left out on each side"},
       {"output_pad", 0, 0, 63, "outputs more at the bottom and on the right; less than stride"}},
      {{"X", "NHWC [n, h, w, ci], NCHW [n, ci, h, w]"}, {"W", "NHWC [kh, kw, ci, co], NCHW [ci, co, kh, kw]", true}},
      image_layouts(2),
      product_types(),
      {{"T2D.1", transposed(4, 512, 256)}, {"T2D.2", transposed(8, 256, 128)}, {"T2D.3", transposed(16, 128, 64)},
       {"T2D.4", transposed(32, 64, 3), "NCHW"}},  // three channels would not fill a vector
      build_transposed};
  return op;
}

}  // namespace tessera::ops
