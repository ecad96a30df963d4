#include "ops/image.h"

namespace tessera::ops {

using namespace dsl;

namespace {

constexpr std::size_t kMostSpatial = 3;

/// The last `n` of three names.
std::vector<std::string> last_of(const std::vector<std::string>& names, std::size_t n) {
  return {names.end() - static_cast<std::ptrdiff_t>(n), names.end()};
}

std::int64_t dilation_of(const Arguments& a) { return a.shape.count("dilation") != 0 ? a["dilation"] : 1; }

std::int64_t window_extent(const std::string& op, const Arguments& a, const std::string& input, const std::string& kernel) {
  const auto dilation = dilation_of(a), size = a[kernel.c_str()];
  const std::int64_t reach = dilation * (size - 1) + 1, padded = a[input.c_str()] + 2 * a["pad"];
  TESSERA_USER_CHECK(reach <= padded) << "parameter '" << kernel << "' of " << op << " is " << size << (dilation > 1 ? ", dilated " : ", reach ")
                                      << reach << ", which is more than the padded input has (" << padded << "); at most "
                                      << (padded - 1) / dilation + 1 << " works";
  return (padded - reach) / a["stride"] + 1;
}

std::vector<Parameter> extents_of(const std::vector<std::string>& names, std::int64_t fallback, const std::string& whose) {
  std::vector<Parameter> out;
  for (const std::string& n : names) {
    const char axis = n.back();
    const char* what = axis == 'w' ? "columns" : axis == 'h' ? "rows" : "planes";
    out.push_back(extent(n, fallback, std::string(what) + " of " + whose));
  }
  return out;
}

}  // namespace

Image::Image(const std::string& layout) : spatial_(layout.size() - 2), channels_last_(layout.back() == 'C') {}

std::vector<std::string> Image::extents() const { return last_of({"d", "h", "w"}, spatial_); }
std::vector<std::string> Image::kernel() const { return last_of({"kd", "kh", "kw"}, spatial_); }
std::vector<std::string> Image::axes(const std::string& channels) const {
  return order<std::string>("n", last_of({"z", "y", "x"}, spatial_), channels);
}

std::vector<std::string> image_layouts(std::size_t spatial) {
  const std::string axes = std::string("DHW").substr(kMostSpatial - spatial);
  return {"N" + axes + "C", "NC" + axes};
}

Exprs image_shape(const Arguments& a, const Expr& channels) {
  const Image image(a.layout);
  Exprs spatial;
  for (const std::string& e : image.extents()) spatial.emplace_back(a[e.c_str()]);
  return image.order<Expr>(a["n"], spatial, channels);
}

Exprs window_extents(const std::string& op, const Arguments& a) {
  const Image image(a.layout);
  const auto extents = image.extents(), kernel = image.kernel();
  Exprs out;
  for (std::size_t d = 0; d < image.spatial(); ++d) out.emplace_back(window_extent(op, a, extents[d], kernel[d]));
  return out;
}

ReduceVars window_axes(const Arguments& a) {
  ReduceVars out;
  for (const std::string& k : Image(a.layout).kernel()) out.push_back(reduce_axis(a[k.c_str()], "r" + k.substr(1)));
  return out;
}

Exprs window_at(const Arguments& a, const std::vector<Var>& v, const ReduceVars& window) {
  const std::vector<Var> at = Image(a.layout).spatial_of(v);
  Exprs out;
  for (std::size_t d = 0; d < at.size(); ++d) out.push_back(at[d] * a["stride"] + window[d] * dilation_of(a));
  return out;
}

Tensor padded(const Tensor& x, const std::vector<Margin>& margins, const Expr& value, const std::vector<std::string>& axes) {
  Exprs shape = x.shape();
  bool any = false;
  for (std::size_t d = 0; d < margins.size(); ++d) {
    any = any || margins[d].before != 0 || margins[d].after != 0;
    shape[d] = shape[d] + (margins[d].before + margins[d].after);
  }
  if (!any) return x;
  const auto body = [&](const std::vector<Var>& v) {
    Exprs at(v.begin(), v.end());
    Expr inside;
    const auto require = [&](const Expr& e) { inside = inside.defined() ? inside && e : e; };
    for (std::size_t d = 0; d < margins.size(); ++d) {
      const auto [before, after] = margins[d];
      if (before != 0) {
        at[d] = v[d] - before;
        require(v[d] >= before);
      }
      // A side without a margin is never left.
      if (after != 0) require(v[d] < x.shape()[d] + before);
    }
    return Exprs{if_then_else(inside, x.at(at), value)};
  };
  return compute_named(shape, axes, body, x.name() + "pad");
}

Tensor padded_image(const Arguments& a, const Tensor& x, const Expr& value) {
  const Image image(a.layout);
  const std::vector<Margin> spatial(image.spatial(), Margin{a["pad"], a["pad"]});
  return padded(x, image.order<Margin>({}, spatial, {}), value, image.axes("c"));
}

std::vector<Parameter> image_extents(std::size_t spatial, std::int64_t fallback) {
  return extents_of(last_of({"d", "h", "w"}, spatial), fallback, "an image");
}

std::vector<Parameter> kernel_extents(std::size_t spatial, std::int64_t fallback, const char* of) {
  return extents_of(last_of({"kd", "kh", "kw"}, spatial), fallback, of);
}

Parameter stride_parameter(std::int64_t fallback) { return {"stride", fallback, 1, 65536, "steps between outputs, in every direction"}; }
Parameter pad_parameter(std::int64_t fallback) { return {"pad", fallback, 0, 65536, "zeros around an image, on each side"}; }
Parameter dilation_parameter() { return {"dilation", 1, 1, 65536, "steps between elements of the kernel"}; }

Shape square(std::size_t spatial, std::int64_t size, std::int64_t kernel, std::int64_t stride, std::int64_t pad, Shape more) {
  for (const std::string& e : last_of({"d", "h", "w"}, spatial)) more.emplace(e, size);
  for (const std::string& k : last_of({"kd", "kh", "kw"}, spatial)) more.emplace(k, kernel);
  more.emplace("stride", stride);
  more.emplace("pad", pad);
  return more;
}

}  // namespace tessera::ops
