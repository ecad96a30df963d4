#include <fmt/format.h>

#include "driver/builder.h"
#include "driver/reference.h"
#include "driver/verify.h"
#include "runtime/cpu/host.h"
#include "tools/autotune/commands.h"
#include "tools/autotune/logged.h"
#include "tools/autotune/report.h"
#include "tools/autotune/terminal.h"

namespace tessera::autotune {

namespace {

bool is_wrong(runtime::MeasureStatus s) {
  using S = runtime::MeasureStatus;
  return s == S::kWrongAnswer || s == S::kOutOfBounds || s == S::kInputModified || s == S::kUninitialised;
}

}  // namespace

int run_replay(const ReplayArgs& args) {
  const Logged logged = best_of_log(args.log, args.threads, args.target, true);
  std::string proof = "not asked for";
  if (verify_when(args.verify) != driver::VerifyWhen::kNever) {
    const polyhedral::Verdict v = driver::verify(logged.task.dag, logged.plan, logged.task.target).or_throw();
    proof = to_string(v);
    if (v.illegal()) {
      fmt::print(stderr, "autotune: the schedule of '{}' does not compute its program: {}\n", args.log, v.violations[0].what);
      return 5;
    }
  }
  driver::Builder builder;
  runtime::CpuMeasurer runner;
  const driver::BuildResult built = builder.build(logged.task.dag, logged.plan, logged.task.target);
  TESSERA_ENVIRONMENT_CHECK(built.image.has_value())
      << "the best record of '" << args.log << "' does not build: " << runtime::to_string(built.status) << ": " << built.message;
  const driver::Reference reference = driver::make_reference(logged.task.dag, logged.task.target, 1, builder, runner);
  runner.install(reference.data);
  runtime::MeasureOptions options;
  options.threads = logged.task.threads;
  options.fewest_samples = 9;
  options.most_samples = 15;
  options.limits.wall_ns = 600'000'000'000;
  for (const dsl::Stage& s : logged.task.dag.stages()) {
    if (s.reduce() != nullptr) options.probe_dtype = s.reduce()->sources[0].type();
  }
  const runtime::Measurement m = runner.measure(*built.image, options);
  const double logged_seconds = static_cast<double>(logged.record.median_ns()) * 1e-9;
  if (!m.ok()) {
    if (args.json) {
      Json j;
      j["seconds"] = nullptr;
      j["logged_seconds"] = logged_seconds;
      j["gflops"] = nullptr;
      j["peak_share"] = nullptr;
      j["correct"] = false;
      j["status"] = std::string(runtime::to_string(m.status));
      fmt::print("{}\n", dump_json(j));
    }
    fmt::print(stderr, "autotune: the kernel of '{}' ended with {}: {}\n", args.log, runtime::to_string(m.status), m.message);
    return is_wrong(m.status) ? 5 : 3;
  }
  const BestFigures f = figures_of(logged.task, m);
  if (args.json) {
    Json j;
    j["seconds"] = f.seconds;
    j["logged_seconds"] = logged_seconds;
    j["gflops"] = f.gflops;
    j["peak_share"] = f.peak_share ? Json(*f.peak_share) : Json(nullptr);
    j["correct"] = true;
    j["proof"] = proof;
    fmt::print("{}\n", dump_json(j));
  } else {
    fmt::print("{}: {}\n", logged.task.op, f.text());
    fmt::print("correct; logged {}, now {:.2f} times that\n", duration_text(logged_seconds), f.seconds / logged_seconds);
    fmt::print("proof: {}\n", proof);
  }
  return 0;
}

}  // namespace tessera::autotune
