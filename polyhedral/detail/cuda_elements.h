// Kernels of stages that reduce nothing.
#pragma once

#include "polyhedral/detail/draft.h"

namespace tessera::polyhedral::detail {

constexpr std::int64_t kThreadsOfBlock = 256;  // where nothing else says how many

/// A vector of neighbouring elements a thread.
Status vectors_kernel_of(Draft& d, const std::string& stage);

/// Whether the stage has an operand that lies along another dimension than its results.
bool crosses(const Draft& d, const std::string& stage);
/// Of such a stage: a block reads a tile of the operand in the order in which it lies, keeps it in shared memory with one
/// column more than needed (so that columns do not fall on one bank), and writes it in the order of the results.
Status transposed_kernel_of(Draft& d, const std::string& stage);

}  // namespace tessera::polyhedral::detail
