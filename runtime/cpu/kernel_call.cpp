#include "runtime/cpu/kernel_call.h"

#include <cstring>

namespace tessera::runtime {

KernelCall::KernelCall(const KernelImage& image, const LoadedKernel& kernel, Phase phase,
                       const OperandMemory& memory, ThreadPool& pool) {
  for (const std::span<std::byte> a : memory.arguments) arguments_.push_back(a.data());
  if (phase == Phase::kRun)
    for (const ByteRange& z : image.zero_ranges)
      zero_.push_back(memory.workspace.subspan(static_cast<std::size_t>(z.offset),
                                               static_cast<std::size_t>(z.bytes)));
  for (const Launch& l : image.launches) {
    if (l.phase != phase) continue;
    const tessera_entry entry = kernel.entry(l.entry);
    TESSERA_CHECK(entry != nullptr) << "launch of '" << l.entry << "', which was not loaded";
    steps_.push_back({entry, pool.host(memory.workspace.data() + l.workspace_offset)});
  }
}

std::int32_t KernelCall::operator()() {
  for (const std::span<std::byte> z : zero_) std::memset(z.data(), 0, z.size());
  for (const Step& s : steps_)
    if (const std::int32_t result = s.entry(arguments_.data(), &s.host); result != 0) return result;
  return 0;
}

}  // namespace tessera::runtime
