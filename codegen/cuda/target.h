// The CUDA target of this machine.
#pragma once

#include "ir/target.h"
#include "support/result.h"

namespace tessera::codegen {

/// Makes the architecture explicit: of `cuda` alone it is that of the first device of this machine, or
/// ir::kDefaultCudaArch where there is none.
Result<ir::Target> resolve_cuda_target(ir::Target target);

}  // namespace tessera::codegen
