#include <dlfcn.h>
#include <fmt/format.h>

#include "codegen/llvm/target.h"
#include "runtime/cpu/cpu_info.h"
#include "runtime/cpu/peak_probe.h"
#include "runtime/isolation/find_tool.h"
#include "support/json/json.h"
#include "tools/autotune/commands.h"

namespace tessera::autotune {

namespace {

/// Whether the shared library of the CUDA driver can be opened; nothing in it is called.
bool cuda_driver_present() {
  void* lib = dlopen("libcuda.so.1", RTLD_LAZY | RTLD_LOCAL);
  if (lib == nullptr) return false;
  dlclose(lib);
  return true;
}

std::string tool_problem(const char* name) {
  try {
    (void)runtime::find_tool(name);
    return "";
  } catch (const UserError& e) {
    return e.what();
  }
}

}  // namespace

int run_doctor(bool json) {
  const auto info = runtime::cpu_info();
  double peak = 0;
  for (int i = 0; i < 7; ++i) peak = std::max(peak, runtime::probe_gflops(runtime::ProbeKind::kF32));
  const double memory = runtime::probe_read_gb_s(info.cores);
  const bool driver = cuda_driver_present();
  std::string problem = tool_problem("kernel_builder") + tool_problem("kernel_runner");
  const auto target = codegen::resolve_cpu_target({});
  if (!target.ok()) problem += target.reason();
  const bool ok = problem.empty();
  if (json) {
    Json j;
    j["cpu"] = {{"name", info.name}, {"isa", info.isa}, {"cores", info.cores}, {"peak_gflops_f32", peak * info.cores}, {"memory_gb_s", memory}};
    j["cuda"] = {{"driver", driver ? Json("libcuda.so.1") : Json(nullptr)}, {"devices", 0}, {"nvrtc", nullptr}};
    j["ok"] = ok;
    if (!ok) j["problem"] = problem;
    fmt::print("{}\n", dump_json(j));
    return ok ? 0 : 1;
  }
  fmt::print("cpu      {} ({}), {} core{}\n", info.name, info.isa, info.cores, info.cores == 1 ? "" : "s");
  fmt::print("peak     {:.0f} GFLOP/s f32 on one core, {:.0f} on all; memory {:.0f} GB/s\n", peak, peak * info.cores, memory);
  if (target.ok()) fmt::print("target   {} bytes a vector, {} vector registers\n", target->vector_bytes, target->vector_registers);
  fmt::print("cuda     {}; the CUDA target is not in this version\n", driver ? "driver found" : "no driver");
  fmt::print("tuning   {}\n", ok ? "works" : problem);
  return ok ? 0 : 1;
}

}  // namespace tessera::autotune
