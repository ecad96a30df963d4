// Questions about logs: the best record, counts, the union of several.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "tuning_logs/log_file.h"

namespace tessera::tuning_logs {

/// Empty fields and 0 let everything through.
struct Filter {
  std::string task{};    // its hash, or its name
  std::string target{};  // the whole text
  int threads = 0;
  bool accepts(const Record& r) const;
};

/// The fastest ok record by the median of its samples; finals, which were measured side by side, come
/// before trials. Empty when no record fits. Among several tasks or targets the filter must choose:
/// otherwise the last one in the log is taken.
std::optional<Record> best_record(const LogContents& log, const Filter& filter = {});

/// The best of every (task, target, threads), in the order in which these first appear.
std::vector<Record> best_records(const LogContents& log, const Filter& filter = {});

/// What `log check` says of a file.
struct Summary {
  ScanResult scan;
  std::vector<std::string> targets;               // distinct, in order of appearance
  std::vector<std::string> tasks;                 // their names
  std::map<std::string, std::int64_t> statuses;   // word -> records, trials and finals
  std::int64_t trials = 0, finals = 0;
};
/// Streams; any file that can be opened gives a summary, however damaged it is.
Summary summarize(const std::string& path);
/// {"records","damaged","newer_schema","targets","tasks","trials","finals","headers","statuses","first_damaged"}
Json to_json_value(const Summary& s);

struct MergeResult {
  std::int64_t written = 0, duplicates = 0, damaged = 0;
};
/// Writes every intact record of `inputs`, each once, byte for byte and in order, to a new file:
/// under a temporary name in the same directory, on disk, then renamed, so that it is whole or not
/// there. UserError of exit code 1 when `output` exists (an existing log is never replaced), when an
/// input cannot be read, or when nothing was found.
MergeResult merge_logs(const std::vector<std::string>& inputs, const std::string& output);

}  // namespace tessera::tuning_logs
