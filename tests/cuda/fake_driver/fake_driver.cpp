#include "tests/cuda/fake_driver/fake_driver.h"

#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <map>
#include <memory>
#include <sstream>
#include <string>
#include <vector>

#include "runtime/cuda/detail/driver_api.h"

namespace tessera::runtime::detail {  // handles are pointers to these

struct CUctx_st {};
struct CUmod_st {};
struct CUfunc_st {
  std::string name;
  int most_dynamic_shared = 48 << 10;
};
struct Node {
  double ms = 0;
  void (*run)(const float* a, float* o) = nullptr;
  const float* a = nullptr;
  float* o = nullptr;
  void* fill = nullptr;  // instead of a kernel
  unsigned char value = 0;
  std::size_t bytes = 0;
};
struct CUgraph_st {
  std::vector<Node> nodes;
};
struct CUgraphExec_st {
  std::vector<Node> nodes;
};
struct CUstream_st {
  std::unique_ptr<CUgraph_st> capturing;
};
struct CUevent_st {
  double ms = 0;
};

}  // namespace tessera::runtime::detail

namespace {

using namespace tessera::runtime::detail;  // NOLINT: the interface

constexpr int kLength = 1000;
constexpr int kInvalidValue = 1, kOutOfMemory = 2, kInvalidImage = 200, kNotFound = 500,
              kIllegalAddress = 700;

struct Planned {
  std::string call;
  int code = 0, after = 0;
  std::string once;  // a file
};

struct State {
  std::vector<Planned> planned;
  std::map<std::string, std::int64_t> calls;
  std::vector<const char*> order;
  int sticky = 0;
  bool fault_at_sync = false, hang_at_sync = false;
  std::int64_t alive = 0;
  std::map<CuAddress, std::unique_ptr<std::byte[]>> memory;
  std::map<std::string, std::unique_ptr<CUfunc_st>> functions;
  CUctx_st context;
  double now_ms = 0;
  std::map<std::string, std::size_t> declared;  // FAKE_CUDA_KERNELS
  std::ofstream record;

  State() {
    if (const char* kernels = std::getenv("FAKE_CUDA_KERNELS")) {
      std::istringstream in(kernels);
      for (std::string word; in >> word;) declared[word.substr(0, word.find(':'))] = std::stoul(word.substr(word.find(':') + 1));
    }
    if (const char* file = std::getenv("FAKE_CUDA_RECORD")) record.open(file, std::ios::app);
    const char* fail = std::getenv("FAKE_CUDA_FAIL");
    if (fail == nullptr) return;
    const char* once = std::getenv("FAKE_CUDA_FAIL_ONCE");
    Planned p;
    std::istringstream(fail) >> p.call >> p.code >> p.after;
    if (once != nullptr) p.once = once;
    planned.push_back(p);
  }
};

State& state() {
  static State s;
  return s;
}

template <class... Parts>
void record(const Parts&... parts) {
  ((state().record << parts << ' '), ...) << std::endl;
}

const void* address(CuAddress a) { return reinterpret_cast<const void*>(a); }

/// As of a real driver: what destroys the context.
bool sticky(int code) {
  return code == 214 || code == 220 || code == 226 || code == 700 || code == 702 || code == 709 ||
         code == 710 || (code >= 714 && code <= 719) || code == 721 || code == 909 || code == 911 ||
         code == 999;
}

/// 0, or the code with which this call fails.
int begin(const char* call) {
  State& s = state();
  ++s.calls[call];
  s.order.push_back(call);
  if (s.sticky != 0) return s.sticky;
  for (Planned& p : s.planned) {
    if (p.code == 0 || (p.call != "*" && p.call != call) || --p.after > 0) continue;
    if (!p.once.empty() && ::access(p.once.c_str(), F_OK) == 0) continue;
    if (!p.once.empty()) std::ofstream(p.once) << "failed\n";
    const int code = p.code;
    p.code = 0;
    if (sticky(code)) s.sticky = code;
    return code;
  }
  return 0;
}

void doubles(const float* a, float* o) {
  for (int i = 0; i < kLength; ++i) o[i] = 2 * a[i];
}
void wrong(const float* a, float* o) {
  for (int i = 0; i < kLength; ++i) o[i] = 3 * a[i];
}
void forgets(const float* a, float* o) {
  for (int i = 0; i + 1 < kLength; ++i) o[i] = 2 * a[i];
}
void writes_behind(const float* a, float* o) {
  doubles(a, o);
  o[kLength] = 1;
}
void writes_input(const float* a, float* o) {
  doubles(a, o);
  const_cast<float*>(a)[7] += 1;
}
void faults(const float*, float*) { state().fault_at_sync = true; }
void hangs(const float*, float*) { state().hang_at_sync = true; }
void crashes(const float*, float*) { std::raise(SIGSEGV); }

struct Kernel {
  double ms;
  void (*run)(const float*, float*);
};
const std::map<std::string, Kernel>& kernels() {
  static const std::map<std::string, Kernel> table{{"doubles", {1, doubles}},
                                                   {"slow", {20, doubles}},
                                                   {"wrong", {1, wrong}},
                                                   {"forgets", {1, forgets}},
                                                   {"writes_behind", {1, writes_behind}},
                                                   {"writes_input", {1, writes_input}},
                                                   {"faults", {1, faults}},
                                                   {"hangs", {1, hangs}},
                                                   {"crashes", {1, crashes}}};
  return table;
}

void execute(const Node& n) {
  State& s = state();
  s.now_ms += n.ms;
  if (n.fill != nullptr) std::memset(n.fill, n.value, n.bytes);
  if (n.run != nullptr) n.run(n.a, n.o);
}

void submit(CUstream_st* stream, const Node& n) {
  if (stream != nullptr && stream->capturing) {
    stream->capturing->nodes.push_back(n);
  } else {
    execute(n);
  }
}

template <class T>
T* make(T** out) {
  ++state().alive;
  return *out = new T;
}
template <class T>
int destroy(const char* call, T* handle) {
  const int code = begin(call);  // gone all the same: a lost context takes all with it
  --state().alive;
  delete handle;
  return code;
}

void record_launch(const CuLaunchConfig& c, const std::string& name, std::size_t count, void** parameters) {
  const auto cluster = c.attribute_count == 0 ? decltype(CuLaunchAttribute::value.cluster){1, 1, 1} : c.attributes->value.cluster;
  std::ostringstream out;
  for (std::size_t i = 0; i < count; ++i) {
    CuAddress value = 0;
    std::memcpy(&value, parameters[i], sizeof value);
    out << (i == 0 ? "" : " ") << address(value);
  }
  record("launch", name, c.grid_x, c.grid_y, c.grid_z, c.block_x, c.block_y, c.block_z, cluster.x, cluster.y, cluster.z, c.shared_bytes,
         static_cast<const void*>(c.stream), out.str());
}

int synchronize() {
  State& s = state();
  if (s.hang_at_sync) {
    for (;;) ::pause();
  }
  if (s.fault_at_sync) s.sticky = kIllegalAddress;
  return s.sticky;
}

}  // namespace

#define FAIL_OR_GO_ON(call) \
  if (const int code = begin(call); code != 0) return code

extern "C" {

void fake_cuda_fail(const char* call, int code, int after) {
  state().planned.push_back({call, code, after, ""});
}
void fake_cuda_reset() {
  State& s = state();
  s.planned.clear();
  s.calls.clear();
  s.order.clear();
  s.sticky = 0;
  s.fault_at_sync = s.hang_at_sync = false;
}
std::int64_t fake_cuda_alive() { return state().alive; }
std::int64_t fake_cuda_calls(const char* call) {
  return std::strcmp(call, "*") == 0 ? static_cast<std::int64_t>(state().order.size()) : state().calls[call];
}
const char* fake_cuda_call(std::int64_t n) {
  return n < fake_cuda_calls("*") ? state().order[static_cast<std::size_t>(n)] : nullptr;
}

CuResult cuGetErrorName(CuResult code, const char** out) {
  static std::map<int, std::string> names;
  names[code] = "FAKE_ERROR_" + std::to_string(code);
  *out = names[code].c_str();
  return code < 0 ? kInvalidValue : 0;
}
CuResult cuGetErrorString(CuResult code, const char** out) {
  *out = "made on demand";
  return code < 0 ? kInvalidValue : 0;
}
CuResult cuInit(unsigned) { return begin("cuInit"); }
CuResult cuDriverGetVersion(int* out) {
  FAIL_OR_GO_ON("cuDriverGetVersion");
  *out = 13000;
  return 0;
}
CuResult cuDeviceGetCount(int* out) {
  FAIL_OR_GO_ON("cuDeviceGetCount");
  const char* count = std::getenv("FAKE_CUDA_DEVICES");
  *out = count == nullptr ? 1 : std::atoi(count);
  return 0;
}
CuResult cuDeviceGet(CuDevice* out, int ordinal) {
  FAIL_OR_GO_ON("cuDeviceGet");
  *out = ordinal;
  return 0;
}
CuResult cuDeviceGetName(char* out, int bytes, CuDevice) {
  FAIL_OR_GO_ON("cuDeviceGetName");
  std::strncpy(out, "Fake device", static_cast<std::size_t>(bytes));
  return 0;
}
CuResult cuDeviceGetAttribute(int* out, int which, CuDevice) {
  FAIL_OR_GO_ON("cuDeviceGetAttribute");
  const std::map<int, int> values{{kCuMultiprocessors, 132},       {kCuL2Bytes, 64 << 10},
                                  {kCuCapabilityMajor, 9},         {kCuCapabilityMinor, 0},
                                  {kCuSharedPerSm, 233472},        {kCuRegistersPerSm, 65536},
                                  {kCuSharedPerBlockOptIn, 232448}};
  *out = values.at(which);
  return 0;
}
CuResult cuDeviceTotalMem_v2(std::size_t* out, CuDevice) {
  FAIL_OR_GO_ON("cuDeviceTotalMem_v2");
  *out = std::size_t{1} << 30;
  return 0;
}
CuResult cuDevicePrimaryCtxRetain(CuContext* out, CuDevice) {
  FAIL_OR_GO_ON("cuDevicePrimaryCtxRetain");
  *out = &state().context;
  ++state().alive;
  return 0;
}
CuResult cuDevicePrimaryCtxRelease_v2(CuDevice) {
  --state().alive;
  return begin("cuDevicePrimaryCtxRelease_v2");
}
CuResult cuCtxSetCurrent(CuContext) { return begin("cuCtxSetCurrent"); }
CuResult cuModuleLoadData(CuModule* out, const void* image) {
  FAIL_OR_GO_ON("cuModuleLoadData");
  if (std::memcmp(image, "FAKE", 4) != 0 && state().declared.empty()) return kInvalidImage;
  record("load");
  make(out);
  return 0;
}
CuResult cuModuleUnload(CuModule m) {
  record("unload");
  return destroy("cuModuleUnload", m);
}
CuResult cuModuleGetFunction(CuFunction* out, CuModule, const char* name) {
  FAIL_OR_GO_ON("cuModuleGetFunction");
  if (!kernels().contains(name) && !state().declared.contains(name)) return kNotFound;
  auto& f = state().functions[name];
  if (!f) f = std::make_unique<CUfunc_st>(CUfunc_st{name});
  f->most_dynamic_shared = 48 << 10;
  *out = f.get();
  return 0;
}
CuResult cuFuncSetAttribute(CuFunction f, int which, int value) {
  FAIL_OR_GO_ON("cuFuncSetAttribute");
  if (which != kCuFunctionMostDynamicShared || value > 232448) return kInvalidValue;
  f->most_dynamic_shared = value;
  record("attribute", f->name, which, value);
  return 0;
}
CuResult cuLaunchKernelEx(const CuLaunchConfig* c, CuFunction f, void** parameters, void**) {
  FAIL_OR_GO_ON("cuLaunchKernelEx");
  const bool sane = c->grid_x >= 1 && c->block_x * c->block_y * c->block_z <= 1024 &&
                    static_cast<int>(c->shared_bytes) <= f->most_dynamic_shared;
  if (!sane) return kInvalidValue;
  if (const auto declared = state().declared.find(f->name); declared != state().declared.end()) {
    record_launch(*c, f->name, declared->second, parameters);
    submit(c->stream, {.ms = 1});
    return 0;
  }
  const Kernel& k = kernels().at(f->name);
  Node n{.ms = k.ms, .run = k.run};
  std::memcpy(&n.a, parameters[0], sizeof n.a);
  std::memcpy(&n.o, parameters[1], sizeof n.o);
  submit(c->stream, n);
  return 0;
}
CuResult cuMemAlloc_v2(CuAddress* out, std::size_t bytes) {
  FAIL_OR_GO_ON("cuMemAlloc_v2");
  if (bytes > (std::size_t{1} << 30)) return kOutOfMemory;
  auto block = std::make_unique<std::byte[]>(bytes + 256);
  const auto at = (reinterpret_cast<CuAddress>(block.get()) + 255) / 256 * 256;
  state().memory[at] = std::move(block);
  ++state().alive;
  *out = at;
  record("alloc", address(at), bytes);
  return 0;
}
CuResult cuMemFree_v2(CuAddress at) {
  const int code = begin("cuMemFree_v2");
  state().alive -= static_cast<std::int64_t>(state().memory.erase(at));
  return code;
}
CuResult cuMemGetInfo_v2(std::size_t* free, std::size_t* total) {
  FAIL_OR_GO_ON("cuMemGetInfo_v2");
  *free = *total = std::size_t{1} << 30;
  return 0;
}
CuResult cuMemcpyHtoDAsync_v2(CuAddress to, const void* from, std::size_t bytes, CuStream) {
  FAIL_OR_GO_ON("cuMemcpyHtoDAsync_v2");
  std::memcpy(reinterpret_cast<void*>(to), from, bytes);
  return 0;
}
CuResult cuMemcpyDtoHAsync_v2(void* to, CuAddress from, std::size_t bytes, CuStream) {
  FAIL_OR_GO_ON("cuMemcpyDtoHAsync_v2");
  std::memcpy(to, reinterpret_cast<const void*>(from), bytes);
  return 0;
}
CuResult cuMemsetD8Async(CuAddress to, unsigned char value, std::size_t bytes, CuStream stream) {
  FAIL_OR_GO_ON("cuMemsetD8Async");
  record("fill", address(to), static_cast<int>(value), bytes, static_cast<const void*>(stream));
  submit(stream, {.fill = reinterpret_cast<void*>(to), .value = value, .bytes = bytes});
  return 0;
}
CuResult cuStreamCreate(CuStream* out, unsigned) {
  FAIL_OR_GO_ON("cuStreamCreate");
  make(out);
  return 0;
}
CuResult cuStreamDestroy_v2(CuStream s) { return destroy("cuStreamDestroy_v2", s); }
CuResult cuStreamSynchronize(CuStream) {
  FAIL_OR_GO_ON("cuStreamSynchronize");
  return synchronize();
}
CuResult cuStreamBeginCapture_v2(CuStream s, int) {
  FAIL_OR_GO_ON("cuStreamBeginCapture_v2");
  s->capturing = std::make_unique<CUgraph_st>();
  return 0;
}
CuResult cuStreamEndCapture(CuStream s, CuGraph* out) {
  const int code = begin("cuStreamEndCapture");
  auto graph = std::move(s->capturing);
  if (code != 0) return code;
  make(out)->nodes = std::move(graph->nodes);
  return 0;
}
CuResult cuGraphInstantiateWithFlags(CuGraphExec* out, CuGraph graph, unsigned long long) {
  FAIL_OR_GO_ON("cuGraphInstantiateWithFlags");
  make(out)->nodes = graph->nodes;
  return 0;
}
CuResult cuGraphLaunch(CuGraphExec graph, CuStream) {
  FAIL_OR_GO_ON("cuGraphLaunch");
  for (const Node& n : graph->nodes) execute(n);
  return 0;
}
CuResult cuGraphExecDestroy(CuGraphExec g) { return destroy("cuGraphExecDestroy", g); }
CuResult cuGraphDestroy(CuGraph g) { return destroy("cuGraphDestroy", g); }
CuResult cuEventCreate(CuEvent* out, unsigned) {
  FAIL_OR_GO_ON("cuEventCreate");
  make(out);
  return 0;
}
CuResult cuEventDestroy_v2(CuEvent e) { return destroy("cuEventDestroy_v2", e); }
CuResult cuEventRecord(CuEvent e, CuStream) {
  FAIL_OR_GO_ON("cuEventRecord");
  e->ms = state().now_ms;
  return 0;
}
CuResult cuEventElapsedTime(float* out, CuEvent a, CuEvent b) {
  FAIL_OR_GO_ON("cuEventElapsedTime");
  *out = static_cast<float>(b->ms - a->ms);
  return 0;
}

}  // extern "C"
