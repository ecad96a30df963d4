// CUDA text and its launches to an image that the runtime can load, or why this candidate is none.
#pragma once

#include <string>

#include "codegen/cuda/cubin_cache.h"
#include "codegen/cuda/launch_gate.h"
#include "codegen/cuda/source.h"
#include "ir/target.h"

namespace tessera::codegen {

/// The gate on what is estimated, before anything is compiled: refuses the first launch that the architecture
/// cannot hold.
Status check_launches(const CudaSource& source, const ir::CudaArch& arch);

/// The machine code of a source. ptxas is left to weigh registers against threads that run at once; where that ends in
/// spills, it is asked again with room for one block, and `source` gets that text if it spills less.
///
///   __launch_bounds__(64)    ->    __launch_bounds__(64, 1)      80 registers, 24 bytes spilled  ->  99, none
///
/// Where it would still be refused, loops that the text does not ask to unroll are kept as loops.
Result<Cubin> compile_source(const Nvrtc& nvrtc, CubinCache& cache, const std::string& arch, CudaSource& source, const CudaCompileOptions& options);

/// An image with what it was made from, for those who hand out all of it.
struct BuiltCuda {
  runtime::KernelImage image;
  std::string text, ptx;
  CudaReport report;
};

/// check_launches, compilation (or the cache), the verdict on the report, the gate again on
/// what the compiler says. Each refusal is one reason; that of code which compiles and asks for too much begins
/// with "resource: ". `target` must name its architecture. Without `keep_ptx` there is no PTX.
Result<BuiltCuda> build_cuda(const Nvrtc& nvrtc, CubinCache& cache, const ir::Target& target, CudaSource source,
                             bool keep_ptx);
/// The image alone.
Result<runtime::KernelImage> build_cuda_image(const Nvrtc& nvrtc, CubinCache& cache, const ir::Target& target,
                                              CudaSource source);

}  // namespace tessera::codegen
