#include "search/session.h"

#include <sys/stat.h>

#include <iterator>

#include "search/transfer.h"

namespace tessera::search {

namespace {

bool is_file(const std::string& path) {
  struct stat info {};
  return ::stat(path.c_str(), &info) == 0 && S_ISREG(info.st_mode);
}

bool of_task(const tuning_logs::Record& r, const std::string& hash, const Task& task, const SessionOptions& options) {
  return r.kind == tuning_logs::RecordKind::kTrial && r.task.hash == hash && r.target == task.target.text() && r.threads == task.threads &&
         r.seed == static_cast<std::int64_t>(options.search.seed);
}

constexpr std::size_t kSuggestions = 4;

/// What earlier runs left: trials of this task to go on from, points of similar ones to start from.
void take_in(Search& search, const Task& task, const SessionOptions& options) {
  std::vector<tuning_logs::Record> similar;
  for (const std::string& log : options.transfer) {
    std::vector<tuning_logs::Record> records = tuning_logs::read_records(log).records;
    std::move(records.begin(), records.end(), std::back_inserter(similar));
  }
  if (is_file(options.log)) {
    const std::string hash = tuning_logs::hash_text(task.dag.hash());
    bool begun = false;  // a resumed run starts from what the first one started from
    for (tuning_logs::Record& r : tuning_logs::read_log(options.log).records) {
      const bool mine = of_task(r, hash, task, options);
      begun = begun || (mine && options.resume);
      if (mine && options.resume) search.remember(to_trial(r));
      if (!mine && !begun) similar.push_back(std::move(r));
    }
  }
  for (const Suggestion& s : suggestions(similar, task, kSuggestions)) search.suggest(s.sketch, s.decisions);
}

tuning_logs::Record header_of(const Task& task, const SessionOptions& options) {
  return tuning_logs::make_header(task.target.text(), tuning_logs::this_machine(options.tool), task.threads,
                                  static_cast<std::int64_t>(options.search.seed));
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

Session::Session(const Task& task, const SessionOptions& options)
    : task_(task), options_(options), search_(task, options.search) {
  take_in(search_, task_, options_);
  writer_.emplace(options.log, header_of(task, options));
}

SearchHooks Session::logged(const SearchHooks& hooks) {
  SearchHooks out = hooks;
  out.trial = [this, trial = hooks.trial](const Trial& t) {
    const bool better = t.ok() && (best_ == 0 || t.measurement.min_ns() < best_);
    if (better) best_ = t.measurement.min_ns();
    writer_->append(to_record(t, task_, options_, tuning_logs::RecordKind::kTrial),
                   better ? tuning_logs::Durability::kPower : tuning_logs::Durability::kProcess);
    if (trial) trial(t);
  };
  out.final_trial = [this, trial = hooks.final_trial](const Trial& t) {
    writer_->append(to_record(t, task_, options_, tuning_logs::RecordKind::kFinal), tuning_logs::Durability::kPower);
    if (trial) trial(t);
  };
  return out;
}

bool Session::step(Measurer& measurer, const SearchHooks& hooks) { return search_.step(measurer, logged(hooks)); }

SearchResult Session::finish(Measurer& measurer, const SearchHooks& hooks) { return search_.finish(measurer, logged(hooks)); }

SearchResult run_session(const Task& task, const SessionOptions& options, Measurer& measurer, const SearchHooks& hooks) {
  Session session(task, options);
  while (session.step(measurer, hooks)) {
  }
  return session.finish(measurer, hooks);
}

}  // namespace tessera::search
