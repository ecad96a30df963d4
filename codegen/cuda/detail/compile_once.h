// One compilation, for those who want to know whether its refusal is worth remembering.
#pragma once

#include "codegen/cuda/compile.h"

namespace tessera::codegen::detail {

struct Compiled {
  Result<Cubin> result;
  bool repeatable = false;  // another attempt ends the same way; not so when memory ran out
};
Compiled compile_once(const Nvrtc& nvrtc, const std::string& text, const std::string& name, const std::string& arch,
                      const CudaCompileOptions& options);

}  // namespace tessera::codegen::detail
