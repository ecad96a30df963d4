#include <fmt/format.h>

#include "tools/autotune/commands.h"
#include "tools/autotune/terminal.h"
#include "tuning_logs/query.h"

namespace tessera::autotune {

int run_log_check(const LogArgs& args) {
  Json all = Json::array();
  bool damaged = false;
  for (const std::string& log : args.logs) {
    const tuning_logs::Summary s = tuning_logs::summarize(log);
    damaged |= s.scan.damaged > 0 || s.scan.records + s.scan.headers == 0;
    Json j = to_json_value(s);
    if (args.logs.size() > 1) j["log"] = log;
    all.push_back(j);
    if (args.json) continue;
    fmt::print("{}: {} records ({} trials, {} finals), {} damaged, {} of a newer schema\n", log, s.scan.records, s.trials,
               s.finals, s.scan.damaged, s.scan.newer_schema);
    for (const auto& [status, n] : s.statuses) fmt::print("  {} {}\n", n, status);
    for (const tuning_logs::Damage& d : s.scan.first_damaged) fmt::print("  damaged at byte {}: {}\n", d.offset, d.reason);
  }
  if (args.json) fmt::print("{}\n", dump_json(all.size() == 1 ? all[0] : Json{{"logs", all}}));
  return damaged ? 1 : 0;
}

int run_log_best(const LogArgs& args) {
  Json all = Json::array();
  for (const std::string& log : args.logs) {
    for (const tuning_logs::Record& r : tuning_logs::best_records(tuning_logs::read_records(log))) {
      const double seconds = static_cast<double>(r.median_ns()) * 1e-9;
      Json j;
      j["op"] = r.task.name;
      j["target"] = r.target;
      j["threads"] = r.threads;
      j["seconds"] = seconds;
      j["sketch"] = r.sketch;
      j["log"] = log;
      all.push_back(j);
      if (!args.json) fmt::print("{}  {}  {} threads  {}\n", duration_text(seconds), r.task.name, r.threads, r.sketch);
    }
  }
  if (args.json) fmt::print("{}\n", dump_json(Json{{"best", all}}));
  return 0;
}

int run_log_merge(const LogArgs& args) {
  const tuning_logs::MergeResult m = tuning_logs::merge_logs(args.logs, args.output);
  if (args.json) {
    fmt::print("{}\n", dump_json(Json{{"written", m.written}, {"duplicates", m.duplicates}, {"damaged", m.damaged}, {"output", args.output}}));
  } else {
    fmt::print("{}: {} records, {} duplicates left out, {} damaged lines left out\n", args.output, m.written, m.duplicates, m.damaged);
  }
  return 0;
}

}  // namespace tessera::autotune
