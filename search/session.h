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
  std::string tool;  // name and version of the writer
};

/// The record of a trial, and the trial of a record of the same task and seed.
tuning_logs::Record to_record(const Trial& t, const Task& task, const SessionOptions& options, tuning_logs::RecordKind kind);
Trial to_trial(const tuning_logs::Record& r);

/// Opens (and with `resume` reads) the log, then searches. Problems with the log are UserErrors with
/// exit code 1, before anything is measured where that is possible.
SearchResult run_session(const Task& task, const SessionOptions& options, Measurer& measurer, const SearchHooks& hooks);

}  // namespace tessera::search
