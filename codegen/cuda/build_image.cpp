#include "codegen/cuda/build_image.h"

#include <algorithm>
#include <chrono>
#include <regex>
#include <sstream>

namespace tessera::codegen {

namespace {

LaunchFacts facts_of(const runtime::Launch& l, std::int64_t static_shared, int registers) {
  return {.grid = l.grid,
          .block = l.block,
          .cluster = l.cluster,
          .shared_bytes = l.shared_bytes + static_shared,
          .registers = registers};
}

Refusal about(const runtime::Launch& l, const Status& why) {
  return refuse("resource: launch of '", l.entry, "': ", why.reason());
}

std::int64_t spills_of(const CudaReport& report) {
  std::int64_t out = 0;
  for (const EntryReport& e : report.entries) out = std::max(out, e.spill_bytes());
  return out;
}

/// ptxas weighs registers against threads that run at once: room for one block.
std::string one_block(const std::string& text) {
  static const std::regex bounds(R"(__launch_bounds__\((\d+)\))");
  return std::regex_replace(text, bounds, "__launch_bounds__($1, 1)");
}

/// Loops of kernels that are left to the compiler, and that it may unroll, stay loops.
std::string rolled(const std::string& text) {
  std::istringstream in(text);
  std::string out, line;
  bool in_kernel = false, told = false;
  while (std::getline(in, line)) {
    in_kernel |= line.find("__global__") != std::string::npos;
    const std::size_t at = line.find_first_not_of(' ');
    if (in_kernel && !told && at != std::string::npos && line.compare(at, 5, "for (") == 0) out += std::string(at, ' ') + "#pragma unroll 1\n";
    told = line.find("#pragma unroll") != std::string::npos;
    out += line + "\n";
  }
  return out;
}

}  // namespace

Result<Cubin> compile_source(const Nvrtc& nvrtc, CubinCache& cache, const std::string& arch, CudaSource& source, const CudaCompileOptions& options) {
  TESSERA_TRY(cubin, cache.compile(nvrtc, source.text, source.name, arch, options));
  const auto try_instead = [&](std::string text) {
    auto again = cache.compile(nvrtc, text, source.name, arch, options);
    if (!again.ok() || spills_of(again->report) >= spills_of(cubin.report)) return;
    source.text = std::move(text);
    cubin = std::move(*again);
  };
  if (spills_of(cubin.report) > 0) try_instead(one_block(source.text));
  if (spills_of(cubin.report) > 0 && !accept_report(cubin.report, source.kind, source.private_bytes).ok()) try_instead(rolled(source.text));
  return cubin;
}

Status check_launches(const CudaSource& source, const ir::CudaArch& arch) {
  for (std::size_t i = 0; i < source.image.launches.size(); ++i) {
    const runtime::Launch& l = source.image.launches[i];
    const int registers = i < source.registers.size() ? source.registers[i] : 0;
    if (const Status s = check_launch(facts_of(l, 0, registers), arch); !s.ok()) return about(l, s);
  }
  return Done{};
}

Result<BuiltCuda> build_cuda(const Nvrtc& nvrtc, CubinCache& cache, const ir::Target& target, CudaSource source,
                             bool keep_ptx) {
  TESSERA_TRY(arch, ir::cuda_arch(target.arch));
  runtime::KernelImage& image = source.image;
  TESSERA_TRY_DONE(check_launches(source, arch));
  const auto begin = std::chrono::steady_clock::now();
  TESSERA_TRY(cubin, compile_source(nvrtc, cache, target.arch, source, {.keep_ptx = keep_ptx}));
  image.build.compile_ms =
      std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - begin).count();
  if (const Status s = accept_report(cubin.report, source.kind, source.private_bytes); !s.ok()) return refuse("resource: ", s.reason());
  for (const runtime::Launch& l : image.launches) {
    const EntryReport* entry = cubin.report.find(l.entry);
    if (entry == nullptr) return refuse("the text of '", source.name, "' has no kernel '", l.entry, "'");
    if (const Status s = check_launch(facts_of(l, entry->shared_bytes, entry->registers), arch); !s.ok())
      return about(l, s);
  }
  for (const EntryReport& e : cubin.report.entries) {
    image.build.registers_per_thread = std::max(image.build.registers_per_thread, e.registers);
    image.build.spill_bytes = std::max(image.build.spill_bytes, e.spill_bytes());
    image.build.static_shared_bytes = std::max(image.build.static_shared_bytes, e.shared_bytes);
  }
  image.build.notes.insert(image.build.notes.end(), cubin.report.warnings.begin(),
                           cubin.report.warnings.end());
  image.target = target.text();
  image.object = std::move(cubin.bytes);
  TESSERA_TRY_DONE(runtime::check_image(image));
  return BuiltCuda{std::move(image), std::move(source.text), std::move(cubin.ptx), std::move(cubin.report)};
}

Result<runtime::KernelImage> build_cuda_image(const Nvrtc& nvrtc, CubinCache& cache, const ir::Target& target,
                                              CudaSource source) {
  TESSERA_TRY(built, build_cuda(nvrtc, cache, target, std::move(source), false));
  return std::move(built.image);
}

}  // namespace tessera::codegen
