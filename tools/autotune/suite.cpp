#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <set>

#include "ops/suites.h"
#include "search/cpu_measurer.h"
#include "search/task_scheduler.h"
#include "search/transfer.h"
#include "tools/autotune/commands.h"
#include "tools/autotune/interrupt.h"
#include "tools/autotune/report.h"
#include "tools/autotune/terminal.h"

namespace tessera::autotune {

namespace {

struct Entry {
  std::string name;   // preset, or the line of the file
  std::string label;  // under which others have measured the same problem
  double weight = 1;
  search::Task task;
  std::unique_ptr<search::Session> session;
  std::optional<search::SearchResult> result;
  std::map<std::string, std::string> reasons;  // one failed trial a status
};

std::vector<Entry> entries_of(const SuiteArgs& args) {
  TESSERA_USER_CHECK(args.suite.empty() != args.tasks.empty()) << "suite takes the name of a suite or --tasks FILE";
  TESSERA_USER_CHECK(!args.problem.given()) << "the programs come from the suite; leave --op, --preset and --expr out";
  std::vector<Entry> out;
  if (!args.suite.empty()) {
    for (const ops::SuiteEntry& e : ops::find_suite(args.suite).or_throw()->entries) {
      ProblemArgs p = args.problem;
      p.preset = e.preset;
      out.push_back({e.preset, e.label, 1, make_task(p), nullptr, std::nullopt, {}});
    }
    return out;
  }
  for (const TaskLine& line : read_tasks_file(args.tasks, args.problem)) {
    out.push_back({line.text, "", line.weight, make_task(line.problem), nullptr, std::nullopt, {}});
  }
  return out;
}

std::string log_of(const SuiteArgs& args) { return !args.log.empty() ? args.log : (args.suite.empty() ? "suite" : args.suite) + ".jsonl"; }

class SuiteRun {
 public:
  SuiteRun(const SuiteArgs& args, std::vector<Entry> entries) : args_(args), entries_(std::move(entries)) {
    const bool geomean = args.objective.empty() ? args.tasks.empty() : args.objective == "geomean";
    objective_ = geomean ? search::Objective::kGeomean : search::Objective::kTotal;
  }

  int run() {
    const auto start = std::chrono::steady_clock::now();
    catch_interrupts();
    tune();
    for (std::size_t i = 0; i < entries_.size() && !interrupted(); ++i) finish(i);
    const double wall = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
    report(wall);
    if (interrupted()) return 130;
    const bool all = std::all_of(entries_.begin(), entries_.end(), [](const Entry& e) { return e.result && e.result->best; });
    return all ? 0 : 3;
  }

 private:
  search::SessionOptions options() const {
    // The scheduler decides how the trials are spent, so one task may get those of several.
    const int most = args_.even ? args_.trials : 8 * args_.trials;
    return session_options(args_.search, most, log_of(args_), args_.resume);
  }

  /// Servers and operands of one task at a time: all of a suite's would not fit in memory.
  search::Measurer& measurer(std::size_t i) {
    if (current_ != i) {
      measurer_.reset();
      measurer_ = std::make_unique<search::CpuTaskMeasurer>(entries_[i].task, args_.search.seed);
      current_ = i;
    }
    return *measurer_;
  }

  search::SearchHooks hooks(std::size_t i) {
    search::SearchHooks h;
    h.stop = [] { return interrupted(); };
    h.trial = [this, i](const search::Trial& t) {
      if (!t.ok()) entries_[i].reasons.try_emplace(std::string(runtime::to_string(t.measurement.status)), t.measurement.message);
    };
    return h;
  }

  void begin(std::size_t i) {
    // Begun when its turn comes: the log then holds what its relatives have found.
    entries_[i].session = std::make_unique<search::Session>(entries_[i].task, options());
  }

  void tune() {
    std::vector<search::ScheduledTask> tasks;
    for (const Entry& e : entries_) tasks.push_back({e.weight, 0, e.task.dag.flops(), search::family_of(e.task.dag)});
    search::TaskScheduler scheduler(tasks, objective_);
    int left = args_.trials * static_cast<int>(entries_.size());
    while (left > 0 && !interrupted()) {
      const auto i = args_.even ? next_even() : scheduler.next();
      if (!i) break;
      Entry& e = entries_[*i];
      if (!e.session) begin(*i);
      const int before = e.session->search().progress().trials;
      const bool more = e.session->step(measurer(*i), hooks(*i));
      const search::Progress& p = e.session->search().progress();
      left -= p.trials - before;
      if (!more) done_.insert(*i);
      // No kernel is faster than its multiply-adds at the probed peak.
      if (p.probe_gflops > 0) scheduler.set_roofline(*i, 2 * e.task.dag.multiply_adds() / p.probe_gflops);
      scheduler.report(*i, static_cast<double>(p.best_ns), p.trials, p.expected_gain, !more);
      fmt::print(stderr, "{}: {} trials, best {}\n", e.name, p.trials, p.best_ns > 0 ? duration_text(static_cast<double>(p.best_ns) * 1e-9) : "none yet");
    }
  }

  /// One task after the other, each to its end.
  std::optional<std::size_t> next_even() const {
    for (std::size_t i = 0; i < entries_.size(); ++i) {
      if (done_.count(i) == 0) return i;
    }
    return std::nullopt;
  }

  void finish(std::size_t i) {
    Entry& e = entries_[i];
    if (!e.session) return;
    e.result = e.session->finish(measurer(i), hooks(i));
  }

  void report(double wall);

  const SuiteArgs& args_;
  std::vector<Entry> entries_;
  search::Objective objective_;
  std::unique_ptr<search::CpuTaskMeasurer> measurer_;
  std::size_t current_ = SIZE_MAX;
  std::set<std::size_t> done_;
};

void SuiteRun::report(double wall) {
  Json rows = Json::array();
  int trials = 0, ok = 0, rejected = 0;
  double model_seconds = 0;
  std::map<std::string, int> failed;
  if (!args_.json) fmt::print("{:<28} {:>7} {:>7} {:>12} {:>10} {:>7}  {}\n", "program", "trials", "ok", "time", "GFLOP/s", "peak", "sketch");
  for (const Entry& e : entries_) {
    if (!e.session) continue;
    const search::Progress& p = e.session->search().progress();
    trials += p.trials;
    ok += p.ok;
    model_seconds += p.model_seconds;
    rejected += e.session->search().rejected();
    for (const auto& [status, n] : p.failed) failed[status] += n;
    Json row;
    row["name"] = e.name;
    row["label"] = e.label;
    row["trials"] = p.trials;
    row["ok"] = p.ok;
    const bool has = e.result && e.result->best;
    const BestFigures best = has ? figures_of(e.task, e.result->best->measurement) : BestFigures{};
    row["best"] = has ? best.json() : Json(nullptr);
    row["sketch"] = has ? e.result->best->candidate.sketch : "";
    rows.push_back(row);
    if (!args_.json) {
      fmt::print("{:<28} {:>7} {:>7} {:>12} {:>10} {:>7}  {}\n", e.name, p.trials, p.ok, has ? duration_text(best.seconds) : "none",
                 has ? fmt::format("{:.1f}", best.gflops) : "", best.peak_share ? fmt::format("{:.1f} %", 100 * *best.peak_share) : "",
                 has ? e.result->best->candidate.sketch : "");
      for (const auto& [status, why] : e.reasons) fmt::print("  {}: {}\n", status, why);
    }
  }
  if (args_.json) {
    Json j;
    j["suite"] = args_.suite.empty() ? args_.tasks : args_.suite;
    j["log"] = log_of(args_);
    j["programs"] = entries_.size();
    j["trials"] = trials;
    j["ok"] = ok;
    j["rejected"] = rejected;
    j["failed"] = Json::object();
    for (const auto& [status, n] : failed) j["failed"][status] = n;
    j["wall_seconds"] = wall;
    j["trials_per_second"] = wall > 0 ? trials / wall : 0;
    j["model_share"] = wall > 0 ? model_seconds / wall : 0;
    j["rows"] = rows;
    fmt::print("{}\n", dump_json(j));
  } else {
    fmt::print("{} programs, {} trials in {:.1f} s, {} ok, {} rejected; log: {}\n", entries_.size(), trials, wall, ok, rejected, log_of(args_));
  }
}

}  // namespace

int run_suite(const SuiteArgs& args) {
  std::vector<Entry> entries = entries_of(args);
  for (const Entry& e : entries) check_measured_here(e.task.target, "suite");
  for (const Entry& e : entries) check_memory(e.task);
  check_log_writable(log_of(args));
  return SuiteRun(args, std::move(entries)).run();
}

}  // namespace tessera::autotune
