// Normalisation of rows and of channels.
#pragma once

#include "ops/operator.h"

namespace tessera::ops {

const Operator& layer_norm();
const Operator& rms_norm();
const Operator& l2_normalize();
const Operator& batch_norm();

/// What batch normalisation does to a channel once its statistics are known: X * scale + shift. Both
/// follow from constants, so they are prepared before the first run.
struct ChannelAffine {
  Tensor scale, shift;  // [channels], in compute_type
};
/// Takes the operands gamma, beta, mean and var of `op`, each [channels].
ChannelAffine batch_norm_affine(const Operator& op, std::int64_t channels, Type dtype);
std::vector<Operand> batch_norm_operands(const std::string& channels);

}  // namespace tessera::ops
