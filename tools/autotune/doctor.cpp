#include <fmt/format.h>

#include "codegen/cuda/nvrtc.h"
#include "codegen/llvm/target.h"
#include "runtime/cpu/cpu_info.h"
#include "runtime/cpu/peak_probe.h"
#include "runtime/cuda/device.h"
#include "runtime/isolation/find_tool.h"
#include "support/json/json.h"
#include "tools/autotune/commands.h"

namespace tessera::autotune {

namespace {

/// What of CUDA is here: the driver and its devices, the compiler, or why not.
struct Cuda {
  Result<runtime::CudaDriver> driver = runtime::open_cuda_driver();
  Result<std::vector<runtime::CudaDevice>> devices = driver.ok() ? runtime::cuda_devices(*driver) : Result<std::vector<runtime::CudaDevice>>(driver.refusal());
  const Result<codegen::Nvrtc>& nvrtc = codegen::nvrtc();

  Json json() const {
    Json j;
    j["driver"] = driver.ok() ? Json(fmt::format("{}.{}", driver->version / 1000, driver->version % 1000 / 10)) : Json(nullptr);
    j["devices"] = Json::array();
    for (std::size_t i = 0; devices.ok() && i < devices->size(); ++i) {
      const runtime::CudaDevice& d = (*devices)[i];
      j["devices"].push_back({{"name", d.name}, {"capability", d.major * 10 + d.minor}, {"memory_bytes", d.memory_bytes}});
    }
    j["nvrtc"] = nvrtc.ok() ? Json({{"version", nvrtc->version()}, {"path", nvrtc->path}, {"origin", nvrtc->origin}}) : Json(nullptr);
    if (!nvrtc.ok()) j["nvrtc_problem"] = nvrtc.reason();
    return j;
  }
  void print() const {
    if (!devices.ok()) fmt::print("cuda     {}\n", devices.reason());
    for (std::size_t i = 0; devices.ok() && i < devices->size(); ++i) {
      const runtime::CudaDevice& d = (*devices)[i];
      fmt::print("cuda     {}: {} ({}.{}), {} SMs, {:.0f} GB\n", d.ordinal, d.name, d.major, d.minor, d.sms, static_cast<double>(d.memory_bytes) * 1e-9);
    }
    fmt::print("nvrtc    {}\n", nvrtc.ok() ? fmt::format("{} ({}, {})", nvrtc->version(), nvrtc->origin, nvrtc->path) : nvrtc.reason());
  }
};

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
  const Cuda cuda;
  std::string problem = tool_problem("kernel_builder") + tool_problem("kernel_runner");
  const auto target = codegen::resolve_cpu_target({});
  if (!target.ok()) problem += target.reason();
  const bool ok = problem.empty();
  if (json) {
    Json j;
    j["cpu"] = {{"name", info.name}, {"isa", info.isa}, {"cores", info.cores}, {"peak_gflops_f32", peak * info.cores}, {"memory_gb_s", memory}};
    j["cuda"] = cuda.json();
    j["ok"] = ok;
    if (!ok) j["problem"] = problem;
    fmt::print("{}\n", dump_json(j));
    return ok ? 0 : 1;
  }
  fmt::print("cpu      {} ({}), {} core{}\n", info.name, info.isa, info.cores, info.cores == 1 ? "" : "s");
  fmt::print("peak     {:.0f} GFLOP/s f32 on one core, {:.0f} on all; memory {:.0f} GB/s\n", peak, peak * info.cores, memory);
  if (target.ok()) fmt::print("target   {} bytes a vector, {} vector registers\n", target->vector_bytes, target->vector_registers);
  cuda.print();
  fmt::print("tuning   {}\n", ok ? "works" : problem);
  return ok ? 0 : 1;
}

}  // namespace tessera::autotune
