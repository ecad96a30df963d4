// Images of one, two or three spatial axes, channels last or first, and windows over them.
#pragma once

#include "ops/operator.h"

namespace tessera::ops {

/// Elements around a tensor along one of its axes.
struct Margin {
  std::int64_t before = 0, after = 0;
};

/// The order of the axes of an image, from a layout: NWC, NHWC, NDHWC or NCW, NCHW, NCDHW.
class Image {
 public:
  explicit Image(const std::string& layout);

  bool channels_last() const { return channels_last_; }
  std::size_t spatial() const { return spatial_; }  // number of spatial axes
  std::size_t first() const { return channels_last_ ? 1 : 2; }  // position of the first of them
  std::size_t channel() const { return channels_last_ ? spatial_ + 1 : 1; }

  /// Parameters that hold the extents of an image ("h", "w") and of a kernel ("kh", "kw").
  std::vector<std::string> extents() const;
  std::vector<std::string> kernel() const;
  /// Names of the axes of an image whose channels are called `channels`: "n", "y", "x", "c".
  std::vector<std::string> axes(const std::string& channels) const;

  /// One value an axis, in the order of the layout.
  template <class T>
  std::vector<T> order(const T& n, const std::vector<T>& spatial, const T& channels) const {
    std::vector<T> out{n};
    if (!channels_last_) out.push_back(channels);
    out.insert(out.end(), spatial.begin(), spatial.end());
    if (channels_last_) out.push_back(channels);
    return out;
  }
  /// The spatial ones of the axes of an image.
  template <class T>
  std::vector<T> spatial_of(const std::vector<T>& axes) const {
    const auto begin = axes.begin() + static_cast<std::ptrdiff_t>(first());
    return {begin, begin + static_cast<std::ptrdiff_t>(spatial_)};
  }

 private:
  std::size_t spatial_;
  bool channels_last_;
};

/// Layouts of images with this many spatial axes, the default first.
std::vector<std::string> image_layouts(std::size_t spatial);

/// [n, spatial extents, channels] in the layout of `a`.
ir::Exprs image_shape(const Arguments& a, const ir::Expr& channels);

/// Positions of a window along each spatial axis, by the parameters pad, stride and (where the operator
/// has it) dilation. UserError when the window does not fit.
ir::Exprs window_extents(const std::string& op, const Arguments& a);

/// Reduction axes over the kernel: "rh", "rw".
dsl::ReduceVars window_axes(const Arguments& a);
/// Where a window that makes the output at `v` reads the padded image, along each spatial axis.
ir::Exprs window_at(const Arguments& a, const std::vector<dsl::Var>& v, const dsl::ReduceVars& window);

/// `x` within margins of `value`, one margin an axis, as stage "<x>pad"; x itself when all are 0.
Tensor padded(const Tensor& x, const std::vector<Margin>& margins, const ir::Expr& value,
              const std::vector<std::string>& axes);
/// An image with the parameter pad of `value` on both ends of each spatial axis.
Tensor padded_image(const Arguments& a, const Tensor& x, const ir::Expr& value);

/// extent() for each name of an image or kernel, with its meaning.
std::vector<Parameter> image_extents(std::size_t spatial, std::int64_t fallback);
std::vector<Parameter> kernel_extents(std::size_t spatial, std::int64_t fallback, const char* of = "the kernel");
/// stride, pad and dilation.
Parameter stride_parameter(std::int64_t fallback = 1);
Parameter pad_parameter(std::int64_t fallback = 1);
Parameter dilation_parameter();

/// Parameters of square images and kernels; `more` is added.
Shape square(std::size_t spatial, std::int64_t size, std::int64_t kernel, std::int64_t stride, std::int64_t pad, Shape more);

}  // namespace tessera::ops
