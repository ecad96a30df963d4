#include "driver/compile.h"

#include <algorithm>
#include <cctype>
#include <optional>

#include "codegen/cuda/build_image.h"
#include "codegen/cuda/target.h"
#include "codegen/llvm/compile.h"
#include "codegen/llvm/target.h"
#include "driver/detail/default_plan.h"
#include "driver/detail/on_large_stack.h"
#include "driver/detail/options_for.h"
#include "driver/polyhedral.h"

namespace tessera::driver {

namespace {

/// The first device here; a driver that is missing or without devices gives none.
std::optional<runtime::CudaDevice> first_device() {
  const auto driver = runtime::open_cuda_driver();
  if (!driver.ok()) return std::nullopt;
  const auto devices = runtime::cuda_devices(*driver);
  return devices.ok() ? std::optional(devices->front()) : std::nullopt;
}

Result<runtime::KernelImage> compile_cuda(const ir::Program& program, const ir::Target& target) {
  static codegen::CubinCache cache(codegen::default_cubin_cache());
  TESSERA_TRY(source, codegen::cuda_source(program));
  return codegen::build_cuda_image(codegen::needed_nvrtc(), cache, target, std::move(source));
}

}  // namespace

std::string kernel_name(const dsl::ComputeDag& dag) {
  std::string name = dag.name().empty() ? "kernel" : dag.name();
  for (char& c : name) {
    if (std::isalnum(static_cast<unsigned char>(c)) == 0) c = '_';
  }
  if (std::isdigit(static_cast<unsigned char>(name[0])) != 0) name = "_" + name;
  return "tessera_" + name;
}

ir::Target resolve_target(const std::string& text) {
  const ir::Target parsed = ir::parse_target(text).or_throw();
  if (parsed.kind == ir::TargetKind::kCuda) {
    return codegen::resolve_cuda_target(parsed, parsed.arch.empty() ? first_device() : std::nullopt).or_throw();
  }
  return codegen::resolve_cpu_target(parsed).or_throw();
}

Result<schedule::State> scheduled(const dsl::ComputeDag& dag, const schedule::Plan& plan) {
  TESSERA_TRY(steps, steps_of(dag, plan));
  TESSERA_TRY(initial, schedule::State::initial(std::make_shared<const dsl::ComputeDag>(dag)));
  return schedule::replay(initial, steps);
}

Result<ir::Program> structured_loops(const dsl::ComputeDag& dag, const schedule::Plan& plan, const ir::Target& target) {
  return detail::on_large_stack<ir::Program>([&]() -> Result<ir::Program> {
    TESSERA_TRY(state, scheduled(dag, plan));
    return lower::build(state, detail::options_for(dag, target));
  });
}

Result<ir::Program> finished_program(const dsl::ComputeDag& dag, const schedule::Plan& plan, const ir::Target& target) {
  return detail::on_large_stack<ir::Program>([&]() -> Result<ir::Program> {
    TESSERA_TRY(state, scheduled(dag, plan));
    return lower::lower(state, detail::options_for(dag, target));
  });
}

Result<std::uint64_t> source_hash(const ir::Program& finished) {
  TESSERA_TRY(source, codegen::cuda_source(finished));
  return source.image.build.source_hash;
}

Status check_launchable(const ir::Program& finished, const ir::Target& target) {
  if (target.kind == ir::TargetKind::kCpu) return Done{};
  TESSERA_TRY(source, codegen::cuda_source(finished));
  TESSERA_TRY(arch, ir::cuda_arch(target.arch));
  return codegen::check_launches(source, arch);
}

Result<runtime::KernelImage> compile(const dsl::ComputeDag& dag, const schedule::Plan& plan, const ir::Target& target) {
  return detail::on_large_stack<runtime::KernelImage>([&]() -> Result<runtime::KernelImage> {
    TESSERA_TRY(state, scheduled(dag, plan));
    TESSERA_TRY(program, lower::lower(state, detail::options_for(dag, target)));
    const bool cuda = target.kind == ir::TargetKind::kCuda;
    TESSERA_TRY(image, cuda ? compile_cuda(program, target) : codegen::compile_cpu(program, target));
    image.error_factor = state.error_factor();
    const double work = dag.multiply_adds();
    if (work > 0) image.work_share = std::clamp(1 - state.saved_multiply_adds() / work, 0.01, 1.0);
    return image;
  });
}

schedule::StepList default_plan(const dsl::ComputeDag& dag, const ir::Target& target) {
  return target.kind == ir::TargetKind::kCuda ? detail::default_cuda_plan(dag) : detail::default_cpu_plan(dag, target);
}

}  // namespace tessera::driver
