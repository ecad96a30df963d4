#include <fmt/format.h>

#include <algorithm>

#include "codegen/cuda/source.h"
#include "driver/builder.h"
#include "driver/compile.h"
#include "exporter/export_c.h"
#include "exporter/export_cuda.h"
#include "support/version.h"
#include "tools/autotune/commands.h"
#include "tools/autotune/logged.h"
#include "tools/autotune/open_pack.h"

namespace tessera::autotune {

namespace {

/// What is exported, and what chose it.
struct Chosen {
  search::Task task;
  schedule::Plan plan;
  std::uint64_t source_hash = 0;  // of the CUDA text that was compiled before; 0: none was
  std::optional<exporter::TunedOn> tuned_on;
};

Chosen of_pack(const std::string& path, int trial) {
  OpenPack opened = open_pack(path);
  const auto& all = opened.pack.candidates;
  const auto at = std::find_if(all.begin(), all.end(), [&](const tuning_logs::PackedCandidate& c) { return c.trial == trial; });
  TESSERA_USER_CHECK(at != all.end()) << "pack '" << path << "' has no trial " << trial
                                      << (all.empty() ? "" : fmt::format("; the last is {}", all.back().trial));
  TESSERA_ENVIRONMENT_CHECK(at->image.has_value()) << "trial " << trial << " of '" << path << "' was not compiled: " << runtime::to_string(at->status) << ": " << at->message;
  return {std::move(opened.task), at->plan, at->image->build.source_hash, std::nullopt};
}

Chosen of_log(const std::string& path, ir::TargetKind kind) {
  Logged logged = best_of_log(path, 0, "", false, kind);
  const tuning_logs::Record& r = logged.record;
  exporter::TunedOn tuned_on{r.machine.device, r.machine.tool, r.sketch, r.trial, r.median_ns(), static_cast<int>(r.samples_ns.size())};
  return {std::move(logged.task), std::move(logged.plan), 0, std::move(tuned_on)};
}

Chosen choose(const ExportArgs& args, ir::TargetKind kind) {
  TESSERA_USER_CHECK(args.file.empty() || !args.problem.given()) << "export takes a log, a pack or --op, one of them";
  TESSERA_USER_CHECK(!args.file.empty() || args.problem.given())
      << "nothing to export: give a log, a pack with --trial N, or --op NAME for its default plan";
  if (args.file.empty()) {
    TESSERA_USER_CHECK(args.trial < 0) << "--trial is of a pack";
    Chosen out{make_task(args.problem), {}, 0, std::nullopt};
    out.plan = driver::default_plan(out.task.dag, out.task.target);
    return out;
  }
  if (!tuning_logs::is_pack(args.file)) {
    TESSERA_USER_CHECK(args.trial < 0) << "--trial is of a pack; of a log the best kernel is exported";
    return of_log(args.file, kind);
  }
  TESSERA_USER_CHECK(args.trial >= 0) << "nobody has compared the kernels of pack '" << args.file
                                      << "': name one by --trial N, or export the log that autotune measure makes of it";
  return of_pack(args.file, args.trial);
}

std::vector<std::string> to_c(const Chosen& chosen, const exporter::ExportOptions& options) {
  driver::Builder builder;
  const driver::BuildResult built = builder.build(chosen.task.dag, chosen.plan, chosen.task.target);
  TESSERA_ENVIRONMENT_CHECK(built.image.has_value())
      << "the kernel does not build: " << runtime::to_string(built.status) << ": " << built.message;
  return exporter::export_c(*built.image, chosen.task.target, options);
}

std::vector<std::string> to_cuda(const Chosen& chosen, const exporter::ExportOptions& options) {
  const codegen::Nvrtc& nvrtc = codegen::needed_nvrtc();
  const auto built = [&]() -> Result<codegen::BuiltCuda> {
    TESSERA_TRY(finished, driver::finished_program(chosen.task.dag, chosen.plan, chosen.task.target));
    TESSERA_TRY(source, codegen::cuda_source(finished));
    if (chosen.source_hash != 0 && source.image.build.source_hash != chosen.source_hash) {
      return refuse("this version prints another text than the one in the pack; compile the pack again with --build-only");
    }
    codegen::CubinCache cache(codegen::default_cubin_cache());
    return codegen::build_cuda(nvrtc, cache, chosen.task.target, std::move(source), true);
  }();
  TESSERA_ENVIRONMENT_CHECK(built.ok()) << "the kernel does not build: " << built.reason();
  return exporter::export_cuda(*built, chosen.task.target, options, chosen.tuned_on);
}

}  // namespace

int run_export(const ExportArgs& args) {
  TESSERA_USER_CHECK(args.to == "c" || args.to == "cuda") << "cannot export to '" << args.to << "'; forms are c, cuda";
  const bool cuda = args.to == "cuda";
  const Chosen chosen = choose(args, cuda ? ir::TargetKind::kCuda : ir::TargetKind::kCpu);
  TESSERA_USER_CHECK(cuda == (chosen.task.target.kind == ir::TargetKind::kCuda))
      << "--to " << args.to << " takes kernels for "
      << (cuda ? "CUDA targets, not for CPUs; --target cuda makes one" : "CPUs, not for CUDA targets; --to cuda exports this one");
  exporter::ExportOptions options;
  options.name = args.name.empty() ? (chosen.task.request.op.empty() ? "kernel" : chosen.task.request.op) : args.name;
  options.directory = args.directory;
  options.description = chosen.task.dag.to_string();
  options.tool = kToolVersion;
  for (const dsl::Stage* in : chosen.task.dag.inputs()) options.values[in->name] = in->values;
  const std::vector<std::string> files = cuda ? to_cuda(chosen, options) : to_c(chosen, options);
  if (args.json) {
    fmt::print("{}\n", dump_json(Json{{"name", exporter::kernel_identifier(options.name)}, {"directory", args.directory}, {"files", files}}));
  } else {
    for (const std::string& f : files) fmt::print("{}\n", f);
  }
  return 0;
}

}  // namespace tessera::autotune
