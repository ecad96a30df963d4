// Calls the launches of one phase of a loaded image on given memory, as often as wanted.
#pragma once

#include <cstdint>
#include <vector>

#include "runtime/cpu/loader.h"
#include "runtime/cpu/operand_memory.h"
#include "runtime/cpu/thread_pool.h"

namespace tessera::runtime {

class KernelCall {
 public:
  /// Everything given must outlive this.
  KernelCall(const KernelImage& image, const LoadedKernel& kernel, Phase phase,
             const OperandMemory& memory, ThreadPool& pool);

  /// Zeroes the ranges the image asks for (phase run) and calls its launches in order.
  /// 0, or the result of the launch that failed.
  std::int32_t operator()();

 private:
  struct Step {
    tessera_entry entry;
    tessera_host host;
  };
  std::vector<std::span<std::byte>> zero_;
  std::vector<void*> arguments_;
  std::vector<Step> steps_;
};

}  // namespace tessera::runtime
