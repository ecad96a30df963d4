#include "codegen/cuda/target.h"

#include "ir/cuda_arch.h"

namespace tessera::codegen {

Result<ir::Target> resolve_cuda_target(ir::Target target, const std::optional<runtime::CudaDevice>& device) {
  if (!target.arch.empty()) return target;
  target.arch = ir::kDefaultCudaArch;
  if (!device) return target;
  TESSERA_TRY(arch, ir::cuda_arch_of_capability(device->major, device->minor));
  target.arch = arch.name;
  return target;
}

}  // namespace tessera::codegen
