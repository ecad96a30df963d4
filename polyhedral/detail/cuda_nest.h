// The ways in which the stages of a nest make one kernel.
#pragma once

#include "ir/cuda_arch.h"
#include "polyhedral/align.h"
#include "polyhedral/detail/draft.h"

namespace tessera::polyhedral::detail {

/// A nest whose elementwise stages have been inlined where that is cheap.
struct KernelNest {
  Names stages;              // producers first; those that are left
  std::vector<bool> shared;  // by data axis of the last stage
};

/// A reduction, what the operands of a product are computed from, and the stage that takes its results one by one:
/// they never leave the registers of the thread that has added them up.
Status reduction_nest(Draft& d, const KernelNest& nest, const ir::CudaArch& arch);

/// All stages one after the other in a block that has `rows` iterations of the shared loops.
Status block_nest(Draft& d, const KernelNest& nest, std::int64_t rows, const ir::CudaArch& arch);
/// The choices of `rows`, the best first: the least of waves of blocks * ((rows + 16) * elements of a row + 256), what a
/// block does for its rows, what it fetches whatever they are, and what it waits for.
std::vector<std::int64_t> rows_of_block(const Draft& d, const KernelNest& nest, const ir::CudaArch& arch);
/// Blocks of block_nest.
std::int64_t blocks_of(const Draft& d, const KernelNest& nest, std::int64_t rows);
/// Bytes of shared memory that a block will need, near enough: for the stages that it keeps there, and for two tiles of the
/// operands of its products.
double shared_bytes(const Draft& d, const KernelNest& nest, std::int64_t rows);

}  // namespace tessera::polyhedral::detail
