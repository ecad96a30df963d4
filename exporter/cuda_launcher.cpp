// NAME_launcher.c of a CUDA export: the functions over the CUDA driver, declared by hand and opened when loading.
#include <cstdint>
#include <cstring>
#include <iomanip>
#include <sstream>

#include "exporter/detail/cuda_bundle.h"
#include "ir/cuda_arch.h"

namespace tessera::exporter {

namespace {

using runtime::LaunchArgumentKind;
using runtime::Phase;

/// The cubin as 64-bit words: aligned, and half the text of bytes.
std::string image_array(const CudaBundle& b) {
  std::ostringstream out;
  out << "/* " << b.cubin_file() << " */\nstatic const uint64_t image[] = {\n" << std::hex << std::setfill('0');
  constexpr std::size_t kWord = sizeof(std::uint64_t), kPerLine = 5;
  for (std::size_t at = 0, word_index = 0; at < b.object.size(); at += kWord, ++word_index) {
    std::uint64_t word = 0;
    std::memcpy(&word, b.object.data() + at, std::min(kWord, b.object.size() - at));
    out << (word_index % kPerLine == 0 ? "  " : " ") << "0x" << std::setw(16) << word << "U,"
        << (word_index % kPerLine == kPerLine - 1 ? "\n" : "");
  }
  out << "\n};\n\n";
  return out.str();
}

constexpr const char* kDriver = R"(typedef char pointers_have_64_bits[sizeof(void*) == 8 ? 1 : -1];

/* CUlaunchAttribute and CUlaunchConfig of the driver's interface. */
typedef struct {
  int id;
  char padding[4];
  unsigned cluster[16];
} launch_attribute;
typedef struct {
  unsigned grid[3], block[3], shared_bytes;
  void* stream;
  const launch_attribute* attributes;
  unsigned attribute_count;
} launch_config;
enum { CLUSTER_DIMENSION = 4, MOST_DYNAMIC_SHARED = 8 };

/* One function of the driver into the pointer at `to`: 0 when it is not there. */
static int find(void* driver, const char* symbol, void* to) {
  void* address = dlsym(driver, symbol);
  memcpy(to, &address, sizeof address);
  return address != NULL;
}

static int launch(int (*call)(const void*, void*, void**, void**), void* function, const unsigned* shape, unsigned shared_bytes,
                  void* stream, void** parameters) {
  launch_config config;
  launch_attribute attribute;
  memset(&config, 0, sizeof config);
  memset(&attribute, 0, sizeof attribute);
  memcpy(config.grid, shape, sizeof config.grid);
  memcpy(config.block, shape + 3, sizeof config.block);
  config.shared_bytes = shared_bytes;
  config.stream = stream;
  attribute.id = CLUSTER_DIMENSION;
  memcpy(attribute.cluster, shape + 6, 3 * sizeof *shape);
  config.attributes = &attribute;
  config.attribute_count = shape[6] * shape[7] * shape[8] > 1 ? 1 : 0;
  return call(&config, function, parameters, NULL);
}

)";

std::string load_text(const CudaBundle& b) {
  const std::string& n = b.name;
  std::ostringstream out;
  out << "int32_t " << n << "_load(" << n << "_kernels* kernels) { return " << n << "_load_image(kernels, image); }\n\n"
      << "int32_t " << n << "_load_image(" << n << "_kernels* kernels, const void* bytes) {\n"
      << R"(  void* driver;
  int (*load)(void**, const void*);
  int (*function)(void**, void*, const char*);
  int (*attribute)(void*, int, int);
  int result;
  if (kernels == NULL || bytes == NULL) return TESSERA_CUDA_NULL_ARGUMENT;
  memset(kernels, 0, sizeof *kernels);
  driver = dlopen("libcuda.so.1", RTLD_NOW | RTLD_LOCAL); /* stays open, as the driver asks for */
  if (driver == NULL) return TESSERA_CUDA_NO_DRIVER;
  if (!find(driver, "cuModuleLoadData", &load) || !find(driver, "cuModuleGetFunction", &function) ||
      !find(driver, "cuFuncSetAttribute", &attribute) || !find(driver, "cuModuleUnload", &kernels->unload) ||
      !find(driver, "cuLaunchKernelEx", &kernels->launch) || !find(driver, "cuMemsetD8Async", &kernels->fill) ||
      !find(driver, "cuGetErrorString", &kernels->describe)) {
    memset(kernels, 0, sizeof *kernels);
    return TESSERA_CUDA_OLD_DRIVER;
  }
  result = load(&kernels->module, bytes);
  if (result != 0) {
    kernels->module = NULL;
    return result;
  }
)";
  for (std::size_t i = 0; i < b.entries.size(); ++i) {
    const std::string at = "kernels->functions[" + std::to_string(i) + "]";
    out << "  if (result == 0) result = function(&" << at << ", kernels->module, \"" << b.entries[i] << "\");\n";
    const std::int64_t shared = b.dynamic_shared_bytes(b.entries[i]);
    if (shared > ir::kSharedWithoutOptIn) {
      out << "  if (result == 0) result = attribute(" << at << ", MOST_DYNAMIC_SHARED, " << shared << ");\n";
    }
  }
  out << "  if (result != 0) " << n << "_unload(kernels);\n  return result;\n}\n\n"
      << "int32_t " << n << "_unload(" << n << R"(_kernels* kernels) {
  void* module;
  if (kernels == NULL) return TESSERA_CUDA_NULL_ARGUMENT;
  module = kernels->module;
  kernels->module = NULL;
  return module == NULL ? TESSERA_CUDA_OK : kernels->unload(module);
}

)";
  return out.str();
}

std::string pointer(const CudaBundle& b, const runtime::Launch& l, const runtime::LaunchArgument& a) {
  if (a.kind == LaunchArgumentKind::kWorkspace) return "(const char*)workspace + " + std::to_string(l.workspace_offset + a.value);
  const Operand& o = b.operands[static_cast<std::size_t>(a.value)];
  return o.is_prepared() ? "(const char*)prepared + " + std::to_string(o.prepared_offset) : o.name;
}

std::string launch_text(const CudaBundle& b, const runtime::Launch& l) {
  std::ostringstream out;
  const auto extents = [](const runtime::Extent3& e) { return std::to_string(e.x) + ", " + std::to_string(e.y) + ", " + std::to_string(e.z); };
  out << "  if (result == 0) { /* " << l.entry << " */\n    static const unsigned shape[9] = {" << extents(l.grid) << ", " << extents(l.block)
      << ", " << extents(l.cluster) << "};\n";
  std::string addresses;
  for (std::size_t i = 0; i < l.arguments.size(); ++i) {
    const runtime::LaunchArgument& a = l.arguments[i];
    const std::string p = "_p" + std::to_string(i);  // no operand begins with an underscore
    if (a.kind == LaunchArgumentKind::kScalar) {
      out << "    uint64_t " << p << " = " << static_cast<std::uint64_t>(a.value) << "U;\n";
    } else {
      out << "    const void* " << p << " = " << pointer(b, l, a) << ";\n";
    }
    addresses += "    parameters[" + std::to_string(i) + "] = &" + p + ";\n";
  }
  out << "    void* parameters[" << std::max<std::size_t>(1, l.arguments.size()) << "];\n" << addresses
      << "    result = launch(kernels->launch, kernels->functions[" << b.entry_of(l) << "], shape, " << l.shared_bytes
      << ", stream, parameters);\n  }\n";
  return out.str();
}

std::string checks_text(const CudaBundle& b, Phase phase) {
  const bool run = phase == Phase::kRun;
  std::string nulls = "kernels == NULL", misaligned;
  const auto check = [&](const std::string& name, int alignment) {
    nulls += " || " + name + " == NULL";
    misaligned += (misaligned.empty() ? "" : " || ") + ("!aligned(" + name + ", " + std::to_string(alignment) + ")");
  };
  if (b.has_prepare()) check("prepared", b.prepared_alignment);
  for (const Operand& o : b.operands) {
    if (!o.is_prepared() && (run ? o.in_run : o.in_prepare)) check(o.name, o.alignment);
  }
  std::string out = "  if (" + nulls + ") return TESSERA_CUDA_NULL_ARGUMENT;\n";
  if (!misaligned.empty()) out += "  if (" + misaligned + ") return TESSERA_CUDA_MISALIGNED;\n";
  if (b.needs_workspace(phase)) {
    out += "  if (workspace == NULL || !aligned(workspace, " + std::to_string(kCudaWorkspaceAlignment) + ")) return TESSERA_CUDA_NO_WORKSPACE;\n";
  } else {
    out += "  (void)workspace;\n";
  }
  return out + "  if (kernels->module == NULL) return TESSERA_CUDA_NOT_LOADED;\n";
}

std::string phase_text(const CudaBundle& b, Phase phase) {
  std::ostringstream out;
  out << cuda_prototype(b, phase) << " {\n  int result = TESSERA_CUDA_OK;\n" << checks_text(b, phase);
  if (phase == Phase::kRun) {
    for (const runtime::ByteRange& z : b.zero_ranges) {
      out << "  if (result == 0) result = kernels->fill((unsigned long long)(uintptr_t)workspace + " << z.offset << ", 0, " << z.bytes
          << ", stream);\n";
    }
  }
  for (const runtime::Launch& l : b.launches) {
    if (l.phase == phase) out << launch_text(b, l);
  }
  out << "  return result;\n}\n\n";
  return out.str();
}

}  // namespace

std::string cuda_launcher_text(const CudaBundle& b) {
  const std::string& n = b.name;
  std::ostringstream out;
  out << "/* The functions of " << n << ".h over the CUDA driver. C99 or C++; link with -ldl where the C library\n"
      << " * keeps dlopen apart. */\n#include \"" << n << ".h\"\n\n#include <dlfcn.h>\n#include <string.h>\n\n"
      << image_array(b) << kDriver
      << "static int aligned(const void* p, unsigned bytes) { return ((uintptr_t)p & (bytes - 1U)) == 0; }\n\n"
      << load_text(b) << "int64_t " << n << "_workspace_bytes(void) { return " << b.workspace_bytes << "; }\n\n";
  if (b.has_prepare()) {
    out << "int64_t " << n << "_prepared_bytes(void) { return " << b.prepared_bytes << "; }\n\n" << phase_text(b, Phase::kPrepare);
  }
  out << phase_text(b, Phase::kRun) << "const char* " << n << "_error(const " << n << R"tessera(_kernels* kernels, int32_t result) {
  const char* text = NULL;
  switch (result) {
    case TESSERA_CUDA_OK: return "success";
    case TESSERA_CUDA_NULL_ARGUMENT: return "an argument is null";
    case TESSERA_CUDA_MISALIGNED: return "an argument has less alignment than the header asks for";
    case TESSERA_CUDA_NO_DRIVER: return "there is no CUDA driver on this machine (libcuda.so.1)";
    case TESSERA_CUDA_OLD_DRIVER: return "the CUDA driver is older than CUDA 11.8";
    case TESSERA_CUDA_NO_WORKSPACE: return "the workspace is null or not aligned to 256 bytes";
    case TESSERA_CUDA_NOT_LOADED: return "the kernels are not loaded";
    default: break;
  }
  if (kernels != NULL && kernels->describe != NULL && kernels->describe(result, &text) == 0 && text != NULL) return text;
  return "the CUDA driver failed";
}
)tessera";
  return out.str();
}

}  // namespace tessera::exporter
