// CUDA targets made explicit.
#pragma once

#include <optional>

#include "ir/target.h"
#include "runtime/cuda/device.h"
#include "support/result.h"

namespace tessera::codegen {

/// Makes the architecture explicit: of `cuda` alone it is that of `device`, or ir::kDefaultCudaArch where
/// there is none. Refuses a device that runs none of our architectures.
Result<ir::Target> resolve_cuda_target(ir::Target target, const std::optional<runtime::CudaDevice>& device);

}  // namespace tessera::codegen
