// Convolutions over images.
#pragma once

#include "ops/operator.h"

namespace tessera::ops {

const Operator& conv2d();
const Operator& depthwise_conv2d();

/// Whether the layout keeps channels last.
bool channels_last(const Arguments& a);
/// Outputs along one image axis; UserError when the kernel does not fit.
std::int64_t window_extent(const std::string& op, const Arguments& a, const char* input, const char* kernel);
/// `x` (rank 4) with `pad` rows and columns of `value` on each side, as stage "<x>pad"; x itself when
/// pad is 0.
Tensor padded(const Tensor& x, std::int64_t pad, const ir::Expr& value, bool channels_last);
/// The stages of conv2d for X and W, the last under that name.
Tensor conv2d_stages(const Arguments& a, const Tensor& x, const Tensor& w, const std::string& name);
/// Shapes of the operands of conv2d.
ir::Exprs conv2d_input(const Arguments& a);
ir::Exprs conv2d_weight(const Arguments& a);
std::vector<Parameter> conv2d_parameters();
/// UserError when groups do not divide the channels or the kernel does not fit.
void check_conv2d(const std::string& op, const Arguments& a);

}  // namespace tessera::ops
