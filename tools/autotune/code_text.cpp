#include "tools/autotune/code_text.h"

#include "codegen/cuda/build_image.h"
#include "codegen/llvm/compile.h"

namespace tessera::autotune {

std::string lowest_form(const ir::Target& target) { return target.kind == ir::TargetKind::kCuda ? "ptx" : "asm"; }

Result<std::string> code_text(const ir::Program& finished, const ir::Target& target, const std::string& form) {
  const bool cuda = target.kind == ir::TargetKind::kCuda;
  if (cuda != (form == "cuda" || form == "ptx")) {
    return refuse(cuda ? "CUDA" : "CPU", " targets have no form '", form, "'; they have steps, loops, ir, ", cuda ? "cuda and ptx" : "llvm and asm");
  }
  if (!cuda) return codegen::code_text(finished, target, form == "llvm" ? codegen::CodeText::kLlvm : codegen::CodeText::kAssembly);
  TESSERA_TRY(source, codegen::cuda_source(finished));
  if (form == "cuda") return std::move(source.text);
  codegen::CubinCache cache(codegen::default_cubin_cache());
  TESSERA_TRY(cubin, codegen::compile_source(codegen::needed_nvrtc(), cache, target.arch, source, {.keep_ptx = true}));
  return std::move(cubin.ptx);
}

}  // namespace tessera::autotune
