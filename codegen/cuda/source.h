// Thread program -> CUDA text with everything of its image but the machine code.
#pragma once

#include <string>
#include <vector>

#include "codegen/cuda/report.h"
#include "ir/program.h"
#include "runtime/kernel_image.h"

namespace tessera::codegen {

/// What the printer knows of a program: its text and everything of the image but the machine code.
struct CudaSource {
  std::string name;            // for messages
  std::string text;            // header-free CUDA C++; its kernels are the entries of `image`
  runtime::KernelImage image;  // object and build report are filled by build_cuda_image
  SketchKind kind = SketchKind::kSimt;
  std::int64_t private_bytes = 0;  // most that a thread of a kernel addresses by itself, in local memory
  std::vector<int> registers{};  // of a thread, estimated, one a launch; empty: not known
};

/// Where an argument or a part of the workspace must begin: what the widest access asks for.
inline constexpr int kCudaAlignment = 16;

/// All kernels of a finished program (lower/, target cuda), after the rows of the prelude that they use.
/// Refuses what print_cuda refuses.
Result<CudaSource> cuda_source(const ir::Program& program);

}  // namespace tessera::codegen
