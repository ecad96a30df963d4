#include "ops/conv.h"

#include "support/nearest.h"

namespace tessera::ops {

using namespace dsl;

namespace {

Tensor build_conv(const Operator& op, const Arguments& a) {
  check_conv(op.name, a);
  const auto X = operand(op, "X", conv_input(a), a.dtype), W = operand(op, "W", conv_weight(a), weight_type(a.dtype));
  return conv_stages(a, X, W, "Y");
}

Shape with(Shape s, const char* name, std::int64_t value) {
  s[name] = value;
  return s;
}

Shape conv2(std::int64_t size, std::int64_t ci, std::int64_t co, std::int64_t k, std::int64_t stride, std::int64_t pad) {
  return conv_shape(2, size, ci, co, k, stride, pad);
}
Shape grouped(const Shape& s) { return with(s, "groups", 4); }
Shape dilated(const Shape& s) { return with(s, "dilation", 2); }

Shape volume(std::int64_t planes, std::int64_t size, std::int64_t ci, std::int64_t co, std::int64_t k, std::int64_t stride,
             std::int64_t pad) {
  return with(conv_shape(3, size, ci, co, k, stride, pad), "d", planes);
}


}  // namespace

Exprs conv_input(const Arguments& a) { return image_shape(a, a["ci"]); }

Exprs conv_weight(const Arguments& a) {
  const Image image(a.layout);
  Exprs kernel;
  for (const std::string& k : image.kernel()) kernel.emplace_back(a[k.c_str()]);
  const auto ci = a["ci"] / a["groups"];
  if (image.channels_last()) {
    kernel.insert(kernel.end(), {ci, a["co"]});
  } else {
    kernel.insert(kernel.begin(), {a["co"], ci});
  }
  return kernel;
}

void check_conv(const std::string& op, const Arguments& a) {
  const auto groups = a["groups"];
  for (const char* channels : {"ci", "co"}) {
    TESSERA_USER_CHECK(a[channels] % groups == 0) << "parameter 'groups' of " << op << " is " << groups << ", which does not divide '"
                                                  << channels << "' (" << a[channels] << "); a divisor of ci and co works";
  }
  window_extents(op, a);
}

Tensor conv_stages(const Arguments& a, const Tensor& x, const Tensor& w, const std::string& name) {
  const Image image(a.layout);
  const Type acc = accumulator(a.dtype);
  const auto groups = a["groups"], ci = a["ci"] / groups, co = a["co"] / groups;
  const Tensor P = padded_image(a, x, ir::constant_of(a.dtype, 0));
  const ReduceVars window = window_axes(a);
  const auto rc = reduce_axis(ci, "rc");
  ReduceVars over = window;
  over.insert(image.channels_last() ? over.end() : over.begin(), rc);
  const auto body = [&](const std::vector<Var>& v) {
    const Var c = v[image.channel()];
    // A group of output channels reads its own input channels.
    const Expr channel = groups == 1 ? Expr(rc) : floordiv(c, co) * ci + rc;
    Exprs weight(over.begin(), over.end());
    weight.insert(image.channels_last() ? weight.end() : weight.begin(), c);
    const Expr pixel = P.at(image.order<Expr>(v[0], window_at(a, v, window), channel));
    return Exprs{sum(cast(acc, pixel) * cast(acc, w.at(weight)), over)};
  };
  return compute_named(image.order<Expr>(a["n"], window_extents(name, a), a["co"]), image.axes("co"), body, name);
}

std::vector<Parameter> conv_parameters(std::size_t spatial) {
  std::vector<Parameter> out{extent("n", 1, "images")};
  for (Parameter& p : image_extents(spatial, spatial == 1 ? 256 : spatial == 2 ? 56 : 16)) out.push_back(std::move(p));
  out.push_back(extent("ci", 64, "input channels"));
  out.push_back(extent("co", 64, "output channels"));
  for (Parameter& p : kernel_extents(spatial, 3)) out.push_back(std::move(p));
  out.push_back(stride_parameter());
  out.push_back(pad_parameter());
  out.push_back(dilation_parameter());
  out.push_back({"groups", 1, 1, INT32_MAX, "parts of the channels that do not meet"});
  return out;
}

std::vector<Operand> conv_operands(std::size_t spatial) {
  const std::vector<std::string> layouts = image_layouts(spatial);
  const Image last(layouts[0]), first(layouts[1]);
  const std::string extents = joined(last.extents()), kernel = joined(last.kernel());
  return {{"X", layouts[0] + " [n, " + extents + ", ci], " + layouts[1] + " [n, ci, " + extents + "]"},
          {"W", layouts[0] + " [" + kernel + ", ci/groups, co], " + layouts[1] + " [co, ci/groups, " + kernel + "]", true}};
}

Shape conv_shape(std::size_t spatial, std::int64_t size, std::int64_t ci, std::int64_t co, std::int64_t kernel, std::int64_t stride,
                 std::int64_t pad) {
  return square(spatial, size, kernel, stride, pad, {{"ci", ci}, {"co", co}});
}

const Operator& conv1d() {
  static const Operator op{"conv1d",
                           "convolution of sequences, with stride, padding, dilation and groups",
                           conv_parameters(1),
                           conv_operands(1),
                           image_layouts(1),
                           product_types(),
                           {{"C1D.1", conv_shape(1, 256, 64, 128, 3, 2, 1)},
                            {"C1D.2", conv_shape(1, 128, 128, 256, 1, 2, 0)},
                            {"C1D.3", conv_shape(1, 64, 256, 256, 5, 1, 2)},
                            {"C1D.4", conv_shape(1, 32, 512, 512, 3, 1, 1)}},
                           [](const Arguments& a) { return build_conv(conv1d(), a); }};
  return op;
}

const Operator& conv2d() {
  static const Operator op{"conv2d",
                           "convolution of images, with stride, padding, dilation and groups",
                           conv_parameters(2),
                           conv_operands(2),
                           image_layouts(2),
                           product_types(),
                           {{"C2D.1", conv2(224, 3, 64, 7, 2, 3)},
                            {"C2D.2", conv2(56, 64, 64, 1, 1, 0)},
                            {"C2D.3", conv2(14, 256, 256, 3, 1, 1)},
                            {"C2D.4", conv2(7, 512, 512, 3, 1, 1)},
                            {"GRP.1", grouped(conv2(56, 64, 128, 3, 2, 1))},
                            {"GRP.2", grouped(conv2(56, 64, 64, 1, 1, 0))},
                            {"GRP.3", grouped(conv2(14, 256, 256, 3, 1, 1))},
                            {"GRP.4", grouped(conv2(7, 512, 512, 3, 1, 1))},
                            {"DIL.1", dilated(conv2(224, 3, 64, 7, 2, 3))},
                            {"DIL.2", dilated(conv2(56, 64, 64, 1, 1, 0))},
                            {"DIL.3", dilated(conv2(14, 256, 256, 3, 1, 1))},
                            {"DIL.4", dilated(conv2(7, 512, 512, 3, 1, 1))},
                            {"RES.1", conv2(224, 3, 64, 7, 2, 3)},
                            {"RES.2", conv2(56, 64, 64, 3, 1, 1)},
                            {"RES.3", conv2(28, 128, 128, 3, 1, 1)},
                            {"RES.4", conv2(14, 256, 256, 3, 1, 1)},
                            {"RES.5", conv2(7, 512, 512, 3, 1, 1)},
                            {"RES.6", conv2(56, 128, 128, 3, 2, 1)},
                            {"RES.7", conv2(56, 64, 256, 1, 1, 0)},
                            {"RES.8", conv2(56, 256, 64, 1, 1, 0)},
                            {"RES.9", conv2(14, 1024, 256, 1, 1, 0)},
                            {"RES.10", conv2(56, 256, 512, 1, 2, 0)}},
                           [](const Arguments& a) { return build_conv(conv2d(), a); }};
  return op;
}

const Operator& conv3d() {
  static const Operator op{"conv3d",
                           "convolution of volumes, with stride, padding, dilation and groups",
                           conv_parameters(3),
                           conv_operands(3),
                           image_layouts(3),
                           product_types(),
                           {{"C3D.1", volume(16, 224, 3, 64, 7, 2, 3)},
                            {"C3D.2", volume(16, 56, 64, 64, 1, 1, 0)},
                            {"C3D.3", volume(16, 14, 256, 256, 3, 1, 1)},
                            {"C3D.4", volume(16, 7, 512, 512, 3, 1, 1)}},
                           [](const Arguments& a) { return build_conv(conv3d(), a); }};
  return op;
}

}  // namespace tessera::ops
