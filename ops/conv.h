// Convolutions over images of one, two and three spatial axes, with stride, padding, dilation and groups.
#pragma once

#include "ops/image.h"

namespace tessera::ops {

const Operator& conv1d();
const Operator& conv2d();
const Operator& conv3d();

/// The stages of a convolution of X with W (shapes below), the last under that name. Sums are kept in,
/// and the result is of, accumulator(a.dtype).
Tensor conv_stages(const Arguments& a, const Tensor& x, const Tensor& w, const std::string& name);
/// Shapes of the operands.
ir::Exprs conv_input(const Arguments& a);
ir::Exprs conv_weight(const Arguments& a);
std::vector<Parameter> conv_parameters(std::size_t spatial);
/// X and W, with the layouts of this many spatial axes.
std::vector<Operand> conv_operands(std::size_t spatial);
/// UserError when groups do not divide the channels or the kernel does not fit.
void check_conv(const std::string& op, const Arguments& a);
/// A preset for square images.
Shape conv_shape(std::size_t spatial, std::int64_t size, std::int64_t ci, std::int64_t co, std::int64_t kernel, std::int64_t stride,
                 std::int64_t pad);

}  // namespace tessera::ops
