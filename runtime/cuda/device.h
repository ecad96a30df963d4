// The CUDA devices of this machine.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "runtime/cuda/driver.h"

namespace tessera::runtime {

struct CudaDevice {
  int ordinal = 0;
  std::string name;
  int major = 0, minor = 0;  // compute capability
  int sms = 0;
  std::int64_t memory_bytes = 0, l2_bytes = 0;
  std::int64_t shared_per_block = 0, shared_per_sm = 0;  // bytes; of a block: with the opt-in
  int registers_per_sm = 0;
};

/// All of them, at least one; a refusal says why there is none. Makes no context.
Result<std::vector<CudaDevice>> cuda_devices(const CudaDriver& driver);

}  // namespace tessera::runtime
