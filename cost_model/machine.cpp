#include "cost_model/machine.h"

#include <algorithm>

#include "ir/cuda_arch.h"

namespace tessera::cost_model {

Machine make_machine(const ir::Target& target, int threads, const CacheSizes& caches) {
  if (target.kind == ir::TargetKind::kCuda) {
    const ir::CudaArch a = ir::cuda_arch(target.arch.empty() ? ir::kDefaultCudaArch : target.arch).or_throw();
    return {.vector_bytes = 16, .vector_registers = a.registers_per_thread, .threads = a.sms, .l1_bytes = a.shared_per_sm,
            .l2_bytes = a.l2_bytes, .l3_bytes = a.l2_bytes, .gpu = a.name};
  }
  Machine m;
  m.vector_bytes = target.vector_bytes;
  m.vector_registers = target.vector_registers;
  m.threads = std::max(1, threads);
  if (caches.l1 > 0) m.l1_bytes = caches.l1;
  if (caches.l2 > 0) m.l2_bytes = caches.l2;
  if (caches.l3 > 0) m.l3_bytes = caches.l3;
  return m;
}

}  // namespace tessera::cost_model
