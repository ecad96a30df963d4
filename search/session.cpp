#include "search/session.h"

#include <sys/stat.h>

namespace tessera::search {

namespace {

bool exists(const std::string& path) {
  struct stat info {};
  return ::stat(path.c_str(), &info) == 0;
}

/// Trials of the same task, target, threads and seed, in this log.
std::vector<Trial> earlier_trials(const Task& task, const SessionOptions& options) {
  std::vector<Trial> out;
  if (!options.resume || !exists(options.log)) return out;
  const std::string hash = tuning_logs::hash_text(task.dag.hash());
  for (const tuning_logs::Record& r : tuning_logs::read_log(options.log).records) {
    const bool same = r.kind == tuning_logs::RecordKind::kTrial && r.task.hash == hash && r.target == task.target.text() &&
                      r.threads == task.threads && r.seed == static_cast<std::int64_t>(options.search.seed);
    if (same) out.push_back(to_trial(r));
  }
  return out;
}

}  // namespace

tuning_logs::Record to_record(const Trial& t, const Task& task, const SessionOptions& options, tuning_logs::RecordKind kind) {
  tuning_logs::Record r;
  r.kind = kind;
  r.task = tuning_logs::make_task(task.dag, task.op, task.request);
  r.target = task.target.text();
  r.machine = tuning_logs::this_machine(options.tool);
  r.threads = task.threads;
  r.seed = static_cast<std::int64_t>(options.search.seed);
  r.sketch = t.candidate.sketch;
  r.decisions = t.candidate.decisions;
  r.batch = t.candidate.batch;
  r.slot = t.candidate.slot;
  r.trial = t.candidate.trial;
  r.plan = t.candidate.steps;
  tuning_logs::set_measurement(r, t.measurement);
  r.object_hash = t.object_hash == 0 ? "" : tuning_logs::hash_text(t.object_hash);
  r.compile_ms = t.compile_ms;
  r.time_ns = tuning_logs::now_ns();
  return r;
}

Trial to_trial(const tuning_logs::Record& r) {
  Trial t;
  t.candidate = {r.trial, r.batch, r.slot, r.sketch, r.decisions, {}};
  if (const auto* steps = std::get_if<schedule::StepList>(&r.plan)) t.candidate.steps = *steps;
  t.measurement = tuning_logs::measurement(r);
  t.compile_ms = r.compile_ms;
  return t;
}

SearchResult run_session(const Task& task, const SessionOptions& options, Measurer& measurer, const SearchHooks& hooks) {
  Search search(task, options.search);
  for (const Trial& t : earlier_trials(task, options)) search.remember(t);
  const tuning_logs::Record header = tuning_logs::make_header(task.target.text(), tuning_logs::this_machine(options.tool),
                                                              task.threads, static_cast<std::int64_t>(options.search.seed));
  tuning_logs::LogWriter writer(options.log, header);
  SearchHooks logged = hooks;
  std::int64_t best = 0;
  logged.trial = [&](const Trial& t) {
    const bool better = t.ok() && (best == 0 || t.measurement.min_ns() < best);
    if (better) best = t.measurement.min_ns();
    writer.append(to_record(t, task, options, tuning_logs::RecordKind::kTrial),
                  better ? tuning_logs::Durability::kPower : tuning_logs::Durability::kProcess);
    if (hooks.trial) hooks.trial(t);
  };
  logged.final_trial = [&](const Trial& t) {
    writer.append(to_record(t, task, options, tuning_logs::RecordKind::kFinal), tuning_logs::Durability::kPower);
    if (hooks.final_trial) hooks.final_trial(t);
  };
  return search.run(measurer, logged);
}

}  // namespace tessera::search
