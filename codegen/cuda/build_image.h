// CUDA text and its launches to an image that the runtime can load, or why this candidate is none.
#pragma once

#include <string>

#include "codegen/cuda/cubin_cache.h"
#include "codegen/cuda/launch_gate.h"
#include "ir/target.h"
#include "runtime/kernel_image.h"

namespace tessera::codegen {

/// What the printer knows of a program: its text and everything of the image but the machine code.
struct CudaSource {
  std::string name;            // for messages
  std::string text;            // header-free CUDA C++; its kernels are the entries of `image`
  runtime::KernelImage image;  // object and build report are filled here
  SketchKind kind = SketchKind::kSimt;
  int registers = 0;  // of a thread, estimated; 0: not known
};

/// The gate on what is estimated, compilation (or the cache), the verdict on the report, the gate again on
/// what the compiler says. Each refusal is one reason. `target` must name its architecture.
Result<runtime::KernelImage> build_cuda_image(const Nvrtc& nvrtc, CubinCache& cache, const ir::Target& target,
                                              CudaSource source);

}  // namespace tessera::codegen
