// example.c, CMakeLists.txt and README.txt of a CUDA export.
#include <sstream>

#include "exporter/detail/cuda_bundle.h"

namespace tessera::exporter {

namespace {

using runtime::Phase;

constexpr const char* kDriver = R"tessera(static void check(int result, const char* text) {
  if (result == 0) return;
  fprintf(stderr, "NAME: %s (%d)\n", text, result);
  exit(1);
}

/* The functions of the driver that a program without the CUDA headers calls. */
static int (*init)(unsigned), (*get_device)(int*, int), (*retain)(void**, int), (*set_current)(void*);
static int (*allocate)(unsigned long long*, size_t), (*upload)(unsigned long long, const void*, size_t, void*);
static int (*download)(void*, unsigned long long, size_t, void*), (*synchronize)(void*);

static void find(void* driver, const char* symbol, void* to) {
  void* address = dlsym(driver, symbol);
  if (address == NULL) check(-1, "the CUDA driver is too old");
  memcpy(to, &address, sizeof address);
}

static void open_device(void) {
  int device = 0;
  void *context = NULL, *driver = dlopen("libcuda.so.1", RTLD_NOW);
  if (driver == NULL) check(-1, "there is no CUDA driver on this machine (libcuda.so.1)");
  find(driver, "cuInit", &init);
  find(driver, "cuDeviceGet", &get_device);
  find(driver, "cuDevicePrimaryCtxRetain", &retain);
  find(driver, "cuCtxSetCurrent", &set_current);
  find(driver, "cuMemAlloc_v2", &allocate);
  find(driver, "cuMemcpyHtoDAsync_v2", &upload);
  find(driver, "cuMemcpyDtoHAsync_v2", &download);
  find(driver, "cuStreamSynchronize", &synchronize);
  check(init(0), "cuInit");
  check(get_device(&device, 0), "cuDeviceGet");
  check(retain(&context, device), "cuDevicePrimaryCtxRetain");
  check(set_current(context), "cuCtxSetCurrent");
}

static void* host(size_t bytes) {
  void* p = calloc(bytes, 1);
  if (p == NULL) check(-1, "out of memory");
  return p;
}

static void* device(int64_t bytes) {
  unsigned long long address = 0;
  check(allocate(&address, bytes > 0 ? (size_t)bytes : 1), "cuMemAlloc");
  return (void*)(uintptr_t)address;
}

static unsigned long long address_of(const void* p) { return (unsigned long long)(uintptr_t)p; }

)tessera";

std::string named(std::string text, const std::string& name) {
  for (std::size_t at = text.find("NAME"); at != std::string::npos; at = text.find("NAME", at + name.size())) text.replace(at, 4, name);
  return text;
}

/// "A_on_device": operands on the device beside those on the host.
std::string arguments(const CudaBundle& b, Phase phase) {
  std::string out;
  std::istringstream names(parameters(b, phase, true));
  for (std::string name; std::getline(names >> std::ws, name, ',');) out += ", " + (name == "prepared" ? name : name + "_on_device");
  return "(&kernels" + out + ", workspace, NULL)";
}

}  // namespace

std::string cuda_example_text(const CudaBundle& b) {
  const std::string& n = b.name;
  std::ostringstream out;
  out << "/* Runs " << n << " once on small numbers and prints a checksum of each output.\n"
      << " *   cc -std=c99 -O2 example.c " << n << "_launcher.c -ldl -o example && ./example\n */\n"
      << "#include <dlfcn.h>\n#include <stdint.h>\n#include <stdio.h>\n#include <stdlib.h>\n#include <string.h>\n\n#include \"" << n << ".h\"\n\n"
      << fill_tables(b) << named(kDriver, n)
      << "#define CHECK(call)                             \\\n  do {                                          \\\n"
         "    int32_t result_ = (call);                   \\\n    check(result_, " << n << "_error(&kernels, result_)); \\\n  } while (0)\n\n"
      << "int main(void) {\n  int64_t i;\n  void* workspace;\n  " << n << "_kernels kernels;\n";
  std::ostringstream allocate, upload, download, print;
  for (std::size_t k = 0; k < b.operands.size(); ++k) {
    const Operand& o = b.operands[k];
    if (o.is_prepared()) continue;
    const std::string size = "(size_t)" + std::to_string(o.bytes);
    out << "  " << o.type << " *" << o.name << ", *" << o.name << "_on_device;\n";
    allocate << "  " << o.name << " = (" << o.type << "*)host(" << size << ");\n"
             << "  " << o.name << "_on_device = (" << o.type << "*)device(" << o.bytes << ");\n";
    if (o.is_output()) {
      download << "  check(download(" << o.name << ", address_of(" << o.name << "_on_device), " << size << ", NULL), \"cuMemcpyDtoHAsync\");\n";
      print << "  {\n    double sum = 0;\n    for (i = 0; i < " << o.elements << "; ++i) sum += (double)" << o.name
            << "[i] * (double)(i % 7 + 1);\n    printf(\"" << o.name << " %.17g\\n\", sum);\n  }\n";
    } else {
      upload << "  for (i = 0; i < " << o.elements << "; ++i) " << o.name << "[i] = " << fill_value(o, k) << ";\n"
             << "  check(upload(address_of(" << o.name << "_on_device), " << o.name << ", " << size << ", NULL), \"cuMemcpyHtoDAsync\");\n";
    }
  }
  if (b.has_prepare()) out << "  void* prepared;\n";
  out << "\n  open_device();\n  CHECK(" << n << "_load(&kernels));\n" << allocate.str() << "  workspace = device(" << n << "_workspace_bytes());\n";
  if (b.has_prepare()) out << "  prepared = device(" << n << "_prepared_bytes());\n";
  out << "\n" << upload.str() << "\n";
  if (b.has_prepare()) out << "  CHECK(" << n << "_prepare" << arguments(b, Phase::kPrepare) << "); /* once */\n";
  out << "  CHECK(" << n << arguments(b, Phase::kRun) << ");" << (b.has_prepare() ? " /* as often as wanted */" : "") << "\n"
      << download.str() << "  check(synchronize(NULL), \"cuStreamSynchronize\");\n\n" << print.str()
      << "  CHECK(" << n << "_unload(&kernels));\n  return 0; /* the context and its memory go with the process */\n}\n";
  return out.str();
}

std::string cuda_cmake_text(const CudaBundle& b) {
  return named(R"(# Builds the example; a project of its own uses add_subdirectory and links NAME.
cmake_minimum_required(VERSION 3.10)
project(NAME_export C)

add_library(NAME STATIC NAME_launcher.c)
set_target_properties(NAME PROPERTIES C_STANDARD 99 POSITION_INDEPENDENT_CODE ON)
target_include_directories(NAME PUBLIC "${CMAKE_CURRENT_SOURCE_DIR}")
target_link_libraries(NAME PUBLIC ${CMAKE_DL_LIBS})

add_executable(NAME_example example.c)
set_target_properties(NAME_example PROPERTIES C_STANDARD 99)
target_link_libraries(NAME_example PRIVATE NAME)
)", b.name);
}

std::string cuda_readme_text(const CudaBundle& b) {
  const std::string& n = b.name;
  std::ostringstream out;
  out << n << ", a tensor kernel for CUDA devices exported by Tessera\n\n";
  if (!b.description.empty()) out << b.description << "\n\n";
  out << "Target: " << b.target << "\n\n"
      << "The functions are in " << n << ".h, with the size, layout and alignment of every argument.\n"
      << "Nothing here depends on Tessera, and nothing of CUDA is needed to build: the launcher opens the\n"
      << "driver (libcuda.so.1, CUDA 11.8 or later) when it loads the kernels.\n\n"
      << "Build the example anywhere, run it where a device is:\n\n"
      << "  cc -std=c99 -O2 example.c " << n << "_launcher.c -ldl -o example && ./example\n"
      << "  nvcc example.c " << n << "_launcher.c -ldl -o example && ./example\n"
      << "  cmake -S . -B build && cmake --build build && build/" << n << "_example\n\n"
      << "From a program: load once in a context, then call with pointers of the device and a stream.\n\n"
      << "  " << n << "_kernels kernels;\n"
      << "  int32_t result = " << n << "_load(&kernels);\n"
      << "  if (result == 0) result = " << n << "(&kernels, ..., workspace, stream);\n"
      << "  if (result != 0) fprintf(stderr, \"%s\\n\", " << n << "_error(&kernels, result));\n\n"
      << "The workspace belongs to one call at a time: streams that run at once need one each.\n\n"
      << "Other loaders find grid, block, shared memory and arguments of each launch in " << n << ".launch.json.\n"
      << n << ".cu is the text that was compiled: nvcc -arch=" << b.arch << " -cubin " << n << ".cu\n";
  return out.str();
}

}  // namespace tessera::exporter
