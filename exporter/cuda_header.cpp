// NAME.h of a CUDA export: the functions and what they ask of their arguments.
#include <sstream>

#include "exporter/detail/cuda_bundle.h"

namespace tessera::exporter {

namespace {

using runtime::Phase;

constexpr const char* kResults = R"(#ifndef TESSERA_CUDA_RESULTS_
#define TESSERA_CUDA_RESULTS_
/* What a function returns. A positive value is the driver's own (CUresult). */
enum {
  TESSERA_CUDA_OK = 0,
  TESSERA_CUDA_NULL_ARGUMENT = -1,
  TESSERA_CUDA_MISALIGNED = -2,   /* a pointer has less than the stated alignment */
  TESSERA_CUDA_NO_DRIVER = -3,    /* this machine has no CUDA driver (libcuda.so.1) */
  TESSERA_CUDA_OLD_DRIVER = -4,   /* it is older than CUDA 11.8 */
  TESSERA_CUDA_NO_WORKSPACE = -5, /* workspace is null or not aligned to 256 */
  TESSERA_CUDA_NOT_LOADED = -6    /* the load function did not succeed on these kernels */
};
#endif

)";

std::string struct_text(const CudaBundle& b) {
  const std::string n = b.name;
  // What a kernel counts its blocks with lies in the loaded image.
  const std::string calls = b.counts ? " * threads may call at once, with one stream: runs must not overlap on the device. */\n"
                                     : " * threads may call at once, each with a workspace of its own. */\n";
  return "/* The kernels in one CUDA context; members are private. Once loaded they are only read: several\n" + calls +
         "typedef struct " + n + "_kernels {\n  void* module;\n  void* functions[" + std::to_string(b.entries.size()) +
         "];\n  int (*launch)(const void* config, void* function, void** parameters, void** extra);\n"
         "  int (*fill)(unsigned long long to, unsigned char value, size_t bytes, void* stream);\n"
         "  int (*unload)(void* module);\n  int (*describe)(int result, const char** text);\n} " + n + "_kernels;\n\n";
}

std::string phase_text(const CudaBundle& b, Phase phase) {
  std::ostringstream out;
  out << (phase == Phase::kRun ? "/* Puts the operator into `stream` and returns: nothing is waited for.\n"
                               : "/* Packs constant operands, once for any number of runs.\n");
  describe_parameters(out, b, phase);
  out << " *   workspace: " << b.name << "_workspace_bytes() bytes of the device, aligned to " << kCudaWorkspaceAlignment
      << "; null when that is 0.\n *     One call at a time may use it.\n"
      << " *   stream: a CUstream or cudaStream_t; null is the default stream\n */\n"
      << cuda_prototype(b, phase) << ";\n\n";
  return out.str();
}

}  // namespace

std::string cuda_prototype(const CudaBundle& b, Phase phase) {
  return "int32_t " + b.name + (phase == Phase::kRun ? "" : "_prepare") + "(const " + b.name + "_kernels* kernels, " + parameters(b, phase) +
         ", void* workspace, void* stream)";
}

std::string cuda_header_text(const CudaBundle& b) {
  const std::string& n = b.name;
  const std::string guard = "TESSERA_EXPORT_" + upper(n) + "_H_";
  std::ostringstream out;
  out << "/* " << n << ": a tensor kernel for CUDA devices exported by Tessera.\n";
  if (!b.description.empty()) out << " *\n" << commented(b.description);
  out << " *\n * Compiled for: " << b.target << "\n"
      << " * All pointers to operands are of the device. The driver is opened by the load functions (libcuda.so.1,\n"
      << " * CUDA 11.8 or later): nothing of CUDA is needed to build or link, and programs start without it.\n"
      << " * The context of the load must be current in every call. No function keeps global state, prints, or\n"
      << " * allocates memory of the device; all of a run may be captured into a graph.\n"
      << " */\n#ifndef " << guard << "\n#define " << guard << "\n\n#include <stddef.h>\n#include <stdint.h>\n\n"
      << "#ifdef __cplusplus\nextern \"C\" {\n#endif\n\n"
      << kResults << struct_text(b)
      << "/* Loads the machine code that " << n << "_launcher.c holds into the current context. */\n"
      << "int32_t " << n << "_load(" << n << "_kernels* kernels);\n\n"
      << "/* The same from the bytes of a cubin, or of PTX ending in a zero byte, of this export: PTX is compiled by\n"
      << " * the driver for the device at hand. */\n"
      << "int32_t " << n << "_load_image(" << n << "_kernels* kernels, const void* image);\n\n"
      << "/* Gives back what a load took; after a failed one too. */\n"
      << "int32_t " << n << "_unload(" << n << "_kernels* kernels);\n\n"
      << "int64_t " << n << "_workspace_bytes(void);\n\n";
  if (b.has_prepare()) {
    out << "/* Bytes of the block that " << n << "_prepare fills. */\nint64_t " << n << "_prepared_bytes(void);\n\n"
        << phase_text(b, Phase::kPrepare);
  }
  out << phase_text(b, Phase::kRun)
      << "/* What a result means, for people. Never null; `kernels` may be null. */\n"
      << "const char* " << n << "_error(const " << n << "_kernels* kernels, int32_t result);\n\n"
      << "#ifdef __cplusplus\n} /* extern \"C\" */\n#endif\n\n#endif /* " << guard << " */\n";
  return out.str();
}

}  // namespace tessera::exporter
