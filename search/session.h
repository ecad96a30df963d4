// A search with its log: what earlier runs measured is taken in, what this one measures is written
// before the next candidate starts.
#pragma once

#include <string>

#include "search/search.h"
#include "tuning_logs/log_file.h"

namespace tessera::search {

struct SessionOptions {
  SearchOptions search;
  std::string log;
  bool resume = false;
  std::vector<std::string> transfer = {};  // logs of similar tasks to start from, besides `log` itself
  std::string tool = "";  // name and version of the writer
};

/// The record of a trial, and the trial of a record of the same task and seed.
tuning_logs::Record to_record(const Trial& t, const Task& task, const SessionOptions& options, tuning_logs::RecordKind kind);
Trial to_trial(const tuning_logs::Record& r);

class Session {
 public:
  /// Opens (and with `resume` reads) the log. Records of similar tasks in it that are older than this
  /// task's first one, and those of the logs to transfer from, suggest where to start. Problems with the
  /// logs are UserErrors with exit code 1.
  Session(const Task& task, const SessionOptions& options);

  Search& search() { return search_; }
  /// As Search's own, with a record for every trial.
  bool step(Measurer& measurer, const SearchHooks& hooks);
  SearchResult finish(Measurer& measurer, const SearchHooks& hooks);

 private:
  SearchHooks logged(const SearchHooks& hooks);

  Task task_;
  SessionOptions options_;
  Search search_;
  std::optional<tuning_logs::LogWriter> writer_;
  std::int64_t best_ = 0;
};

/// All steps of a session.
SearchResult run_session(const Task& task, const SessionOptions& options, Measurer& measurer, const SearchHooks& hooks);

}  // namespace tessera::search
