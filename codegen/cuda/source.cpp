#include "codegen/cuda/source.h"

#include <algorithm>
#include <map>

#include "codegen/contracts.h"
#include "codegen/cuda/prelude.h"
#include "codegen/cuda/print.h"
#include "support/hash.h"

namespace tessera::codegen {

namespace {

constexpr std::int64_t kRegisterBytes = 4;
constexpr std::int64_t kWorkspaceUnit = 256;  // as the driver aligns what it allocates

/// What launches pass for the buffers of a program.
class Slots {
 public:
  Slots(const ir::Program& program, runtime::KernelImage& image) {
    for (const ir::ProgramBuffer& p : program.buffers) {
      if (p.role == ir::BufferRole::kWorkspace) {
        of_[p.buffer->id] = {runtime::LaunchArgumentKind::kWorkspace, image.workspace_bytes};
        const std::int64_t bytes = p.buffer->layout.size() * p.buffer->dtype.bytes();
        image.workspace_bytes += (bytes + kWorkspaceUnit - 1) / kWorkspaceUnit * kWorkspaceUnit;
      } else {
        of_[p.buffer->id] = {runtime::LaunchArgumentKind::kTensor, tensors_++};
      }
    }
  }
  const runtime::LaunchArgument& of(const ir::Buffer& b) const { return of_.at(b->id); }

 private:
  std::map<std::uint64_t, runtime::LaunchArgument> of_;
  std::int64_t tensors_ = 0;
};

}  // namespace

Result<CudaSource> cuda_source(const ir::Program& program) {
  TESSERA_TRY(kernels, print_cuda(program));
  CudaSource out;
  out.name = program.name;
  runtime::KernelImage& image = out.image;
  image.arguments = argument_contracts(program, [](const ir::ProgramBuffer&) { return kCudaAlignment; });
  const Slots slots(program, image);
  std::string text;
  for (const CudaKernel& k : kernels) {
    text += (text.empty() ? "" : "\n") + k.text;
    image.entries.push_back({k.name});
    runtime::Launch launch;
    launch.entry = k.name;
    launch.phase = k.phase == ir::RunPhase::kPrepare ? runtime::Phase::kPrepare : runtime::Phase::kRun;
    for (const ir::Buffer& b : k.parameters) launch.arguments.push_back(slots.of(b));
    launch.grid = k.grid;
    launch.block = k.block;
    launch.shared_bytes = k.shared_bytes;
    image.launches.push_back(std::move(launch));
    out.private_bytes = std::max(out.private_bytes, k.private_bytes);
    out.registers.push_back(static_cast<int>(std::min<std::int64_t>(k.local_bytes / kRegisterBytes, INT32_MAX)));
  }
  if (text.find("ts_mma") != std::string::npos) out.kind = SketchKind::kTensorCore;
  out.text = cuda::cuda_prelude(text) + "\n" + text;
  image.build.source_hash = hash_bytes(out.text);
  return out;
}

}  // namespace tessera::codegen
