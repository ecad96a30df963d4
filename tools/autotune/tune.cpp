#include <fmt/format.h>

#include <chrono>
#include <cstdio>

#include "driver/compile.h"
#include "runtime/cpu/peak_probe.h"
#include "search/cpu_measurer.h"
#include "search/session.h"
#include "tools/autotune/commands.h"
#include "tools/autotune/interrupt.h"
#include "tools/autotune/report.h"
#include "tools/autotune/terminal.h"

namespace tessera::autotune {

namespace {

std::string default_log(const search::Task& task) { return (task.request.op.empty() ? "expr" : task.request.op) + ".jsonl"; }

std::vector<std::string> constants_of(const dsl::ComputeDag& dag) {
  std::vector<std::string> out;
  for (const dsl::Stage* s : dag.inputs()) {
    if (s->kind == dsl::OperationKind::kConstant) out.push_back(s->name);
  }
  return out;
}

Json json_of(const search::Task& task, const std::string& log, const search::SearchResult& r, const BestFigures* best,
             double wall_seconds) {
  Json j;
  j["op"] = task.op;
  j["target"] = task.target.text();
  j["log"] = log;
  j["trials"] = r.progress.trials;
  j["ok"] = r.progress.ok;
  j["rejected"] = r.rejected;
  j["failed"] = Json::object();
  for (const auto& [status, n] : r.progress.failed) j["failed"][status] = n;
  j["constant"] = constants_of(task.dag);
  j["best"] = best != nullptr ? best->json() : Json(nullptr);
  j["proof"] = r.proof ? Json(to_string(*r.proof)) : Json(nullptr);
  j["wall_seconds"] = wall_seconds;
  j["search_share"] = wall_seconds > 0 ? r.progress.search_seconds / wall_seconds : 0;
  j["model_share"] = wall_seconds > 0 ? r.progress.model_seconds / wall_seconds : 0;
  j["settled"] = r.settled;
  j["polyhedral"] = Json{{"trials", r.planned}, {"best", r.best && search::is_polyhedral(r.best->candidate.sketch)}};
  j["trials_per_second"] = wall_seconds > 0 ? r.progress.trials / wall_seconds : 0;
  j["threads"] = task.threads;
  return j;
}

void print_summary(const search::Task& task, const std::string& log, const search::SearchResult& r, const BestFigures* best,
                   const std::map<std::string, std::string>& reasons, double wall_seconds) {
  fmt::print("{}: {} trials in {:.1f} s, {} ok", task.op, r.progress.trials, wall_seconds, r.progress.ok);
  for (const auto& [status, n] : r.progress.failed) fmt::print(", {} {}", n, status);
  fmt::print("\n");
  if (r.settled) fmt::print("  settled: no gain above 0.5 % was expected from the last batches\n");
  if (r.progress.trials < r.progress.wanted && !r.stopped && !r.settled) fmt::print("  that is the whole space of this program\n");
  for (const auto& [status, why] : reasons) fmt::print("  {}: {}\n", status, why);
  if (best != nullptr) {
    fmt::print("best: {}  ({})\n", best->text(), r.best->candidate.sketch);
    if (r.planned > 0) fmt::print("path: {} trials of the polyhedral path; the best is {}of them\n", r.planned, search::is_polyhedral(r.best->candidate.sketch) ? "one " : "none ");
    if (r.proof && !r.proof->ok()) fmt::print("proof: {}\n", to_string(*r.proof));
    fmt::print("log:  {}   replay: autotune replay {}\n", log, log);
  } else {
    fmt::print("no schedule ran correctly; autotune explain {} says why\n", log);
  }
}

}  // namespace

int run_tune(const TuneArgs& args) {
  const auto start = std::chrono::steady_clock::now();
  check_measured_here(driver::resolve_target(args.problem.target), "tuning");
  const search::Task task = make_task(args.problem);
  search::SessionOptions options = session_options(args.search, args.trials, args.log.empty() ? default_log(task) : args.log, args.resume);
  if (!args.decisions.empty()) options.search.planned = {search::sketch_of(planned_by_hand(task, args.decisions, args.search.verify), "given")};
  check_log_writable(options.log);
  check_memory(task);

  catch_interrupts();
  std::map<std::string, std::string> reasons;  // one example a status
  search::SearchResult result;
  {
    ProgressLine line(task.dag.flops(), task.dag.multiply_adds());
    constexpr double kSlowReference = 4e9;  // operations: a second or more of one plain kernel
    if (task.dag.flops() > kSlowReference) line.say("computing the answers to check candidates against");
    search::CpuTaskMeasurer measurer(task, args.search.seed);
    search::SearchHooks hooks;
    hooks.stop = [] { return interrupted(); };
    hooks.progress = [&](const search::Progress& p) { line.show(p); };
    hooks.trial = [&](const search::Trial& t) {
      if (t.ok()) return;
      const std::string status(runtime::to_string(t.measurement.status));
      reasons.try_emplace(status, fmt::format("trial {} ({}, {}): {}", t.candidate.trial, t.candidate.sketch, t.measurement.phase, t.measurement.message));
    };
    result = search::run_session(task, options, measurer, hooks);
  }
  const double wall = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  std::optional<BestFigures> best;
  if (result.best) best = figures_of(task, result.best->measurement);
  const BestFigures* shown = best ? &*best : nullptr;
  if (args.json) {
    fmt::print("{}\n", dump_json(json_of(task, options.log, result, shown, wall)));
  } else {
    print_summary(task, options.log, result, shown, reasons, wall);
  }
  if (interrupted()) return 130;
  if (result.best) return 0;
  // Nothing but failures of our own machinery: the machine or the installation is at fault.
  const auto internal = result.progress.failed.find("internal");
  const bool broken = internal != result.progress.failed.end() && internal->second == result.progress.trials;
  return broken ? 1 : 3;
}

}  // namespace tessera::autotune
