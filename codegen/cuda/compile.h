// CUDA C++ text to machine code of one architecture, in this process, by NVRTC.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "codegen/cuda/nvrtc.h"
#include "codegen/cuda/report.h"

namespace tessera::codegen {

struct CudaCompileOptions {
  bool keep_ptx = false;             // for the exporter
  std::vector<std::string> extra{};  // NVRTC's own flags, after ours
};

struct Cubin {
  std::vector<std::byte> bytes;
  std::string ptx;  // empty unless asked for
  std::string log;  // what the compiler and the assembler said, whole
  CudaReport report;

  bool operator==(const Cubin&) const = default;
};

/// Flags that a compilation for `arch` ("sm_90a") gets, in order: with the text and NVRTC's version they
/// determine the result.
std::vector<std::string> nvrtc_flags(const std::string& arch, const CudaCompileOptions& options);

/// Refuses an architecture that is unknown to us or to this NVRTC.
Status check_architecture(const Nvrtc& nvrtc, const std::string& arch);

/// `name` appears in messages. Refuses: text that does not compile (the first error, where it stands and
/// its line), and what check_architecture refuses.
Result<Cubin> compile_cuda(const Nvrtc& nvrtc, const std::string& text, const std::string& name,
                           const std::string& arch, const CudaCompileOptions& options = {});

}  // namespace tessera::codegen
