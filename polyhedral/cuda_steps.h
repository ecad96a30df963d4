// Shared loops as schedule steps for CUDA, without measuring: the sibling of cpu_steps.h.
//
// A nest becomes one kernel. Its shared loops are blocks, in tiles; what is left of its parallelism are threads:
//
//   products       tiles of operands fetched to shared memory, a tile of results in the registers of every thread
//   chains of rows a row stays in the registers of the threads that share it, which meet for its reductions
//   others         stages stand one after the other inside of the block and leave what the next ones read in shared
//                  memory
//
// A nest for which none of this lowers within the limits of the architecture is taken apart: every stage is a kernel
// of its own.
#pragma once

#include <string>
#include <vector>

#include "ir/target.h"
#include "polyhedral/decisions.h"

namespace tessera::polyhedral {

struct CudaStepsOptions {
  double large = 1 << 20;  // points of a nest, from which on it must give work to a quarter of the multiprocessors
};

/// `alignment` is of `dag` as it stands, without inlined stages. The plan lowers; none of its numbers are open. Refuses targets that are not CUDA, or of
/// no known architecture.
Result<PlannedSteps> cuda_steps(const dsl::ComputeDag& dag, const Alignment& alignment, const ir::Target& target, const CudaStepsOptions& options = {});

}  // namespace tessera::polyhedral
