// One stage as a kernel, or two; and what kernels of several stages choose by.
#pragma once

#include "ir/cuda_arch.h"
#include "polyhedral/detail/draft.h"

namespace tessera::polyhedral::detail {

/// Whether several threads add up a result: long reductions whose terms lie beside each other.
bool joins_threads(const schedule::Stage& s);
/// Threads for the elements of a stage, no more than there are, up to a block's.
std::int64_t threads_for(double elements);
/// Moves what a reduction computes to a stage of its own, of which it becomes a copy: the name of that. The reduction
/// itself where it has several results an element or a single one; of other stages an empty name.
Result<std::string> sums_of(Draft& d, const std::string& stage);

/// A stage as a kernel of its own; of a long reduction with few results a second one, for chunks of it.
Status kernel_of(Draft& d, const std::string& stage, const ir::CudaArch& arch);
/// The same, an element a thread whatever it is.
Status plain_kernel_of(Draft& d, const std::string& stage);
/// A reduction and `host`, which takes its results one by one or is the reduction itself.
Status reduction_kernel_of(Draft& d, const std::string& host, const std::string& reduction, const ir::CudaArch& arch);

}  // namespace tessera::polyhedral::detail
