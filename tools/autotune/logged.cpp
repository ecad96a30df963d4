#include "tools/autotune/logged.h"

#include <cstdio>

#include "codegen/llvm/target.h"
#include "driver/compile.h"
#include "tools/autotune/commands.h"

namespace tessera::autotune {

namespace {

bool is_of_kind(const tuning_logs::Record& r, ir::TargetKind kind) {
  const auto target = ir::parse_target(r.target);
  return target.ok() && target->kind == kind;
}

/// UserError (exit code 1) when the steps of a record are none of its program.
void check_applies(const Logged& l, const std::string& log) {
  std::string why;
  try {
    const auto state = driver::scheduled(l.task.dag, l.plan);
    if (state.ok()) return;
    why = state.reason();
  } catch (const UserError& e) {
    why = e.what();
  }
  throw UserError("log '" + log + "': the schedule of its best record cannot be applied: " + why, 1);
}

}  // namespace

Logged best_of_log(const std::string& log, int threads, const std::string& target, bool must_run, std::optional<ir::TargetKind> kind) {
  tuning_logs::LogContents contents = tuning_logs::read_records(log);
  if (const std::string damage = tuning_logs::describe_damage(contents.scan); !damage.empty()) {
    std::fprintf(stderr, "autotune: %s: %s\n", log.c_str(), damage.c_str());
  }
  if (kind) std::erase_if(contents.records, [&](const tuning_logs::Record& r) { return !is_of_kind(r, *kind); });
  const auto best = tuning_logs::best_record(contents);
  if (kind == ir::TargetKind::kCuda && !best) {
    throw UserError("log '" + log + "' holds no kernel for a CUDA device that ran correctly; a pack and --trial N, or --op NAME --target cuda, "
                    "export one that was not measured", 1);
  }
  TESSERA_ENVIRONMENT_CHECK(best.has_value()) << "log '" << log << "' holds no kernel " << (kind ? "for CPUs " : "") << "that ran correctly";
  Logged out;
  out.record = *best;
  auto dag = tuning_logs::dag(*best);
  TESSERA_ENVIRONMENT_CHECK(dag.ok()) << "log '" << log << "': its program cannot be read: " << dag.reason();
  out.task.dag = std::move(*dag);
  out.task.op = best->task.name;
  out.task.request = best->task.request;
  out.task.threads = threads > 0 ? threads : best->threads;
  out.plan = best->plan;
  const std::string wanted = target.empty() ? best->target : target;
  try {
    out.task.target = driver::resolve_target(wanted);
  } catch (const UserError& e) {
    throw UserError("log '" + log + "' was made for '" + wanted + "': " + e.what(), target.empty() && e.exit_code() == 2 ? 1 : e.exit_code());
  }
  check_applies(out, log);
  if (must_run) check_measured_here(out.task.target, "replay");
  if (must_run && !codegen::runs_here(out.task.target)) {
    throw UserError("log '" + log + "' was made for '" + out.task.target.cpu +
                    "', whose instructions this machine lacks; --target cpu rebuilds its schedule for this machine", 4);
  }
  return out;
}

}  // namespace tessera::autotune
