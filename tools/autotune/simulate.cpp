#include <fmt/format.h>

#include <algorithm>

#include "search/simulation.h"
#include "support/nearest.h"
#include "tools/autotune/commands.h"

namespace tessera::autotune {

namespace {

/// A way to search: what is left out of it.
struct Policy {
  const char* name;
  const char* without;
};
constexpr Policy kPolicies[] = {
    {"full", ""},
    {"without prior", "prior"},
    {"without evolution", "evolution"},
    {"without model", "model"},
    {"without draft, prior", "draft,prior"},
    {"random", "draft,prior,model,evolution"},
};

int median(std::vector<int> v) {
  std::nth_element(v.begin(), v.begin() + static_cast<std::ptrdiff_t>(v.size() / 2), v.end());
  return v[v.size() / 2];
}

}  // namespace

int run_simulate(const SimulateArgs& args) {
  Json rows = Json::array();
  if (!args.json) fmt::print("{:<34} {:<22} {:>6} {:>6} {:>6}\n", "recording", "search", "95 %", "97 %", "99 %");
  for (const std::string& file : args.recordings) {
    const auto recordings = search::read_recordings(file);
    TESSERA_ENVIRONMENT_CHECK(recordings.ok()) << recordings.reason();
    for (const search::Recording& r : *recordings) {
      const auto task = r.to_task();
      TESSERA_ENVIRONMENT_CHECK(task.ok()) << file << ": " << task.reason();
      for (const Policy& p : kPolicies) {
        SearchArgs s = args.search;
        s.without = p.without;
        std::vector<int> to_95, to_97, to_99;
        for (int seed = 1; seed <= args.seeds; ++seed) {
          s.seed = static_cast<std::uint64_t>(seed);
          const search::SimulationResult result = search::simulate(r, *task, session_options(s, args.trials, "", false).search);
          to_95.push_back(result.to_95);
          to_97.push_back(result.to_97);
          to_99.push_back(result.to_99);
        }
        const std::string name = r.task.request.preset.empty() ? r.task.name : r.task.request.preset;
        if (args.json) {
          Json row;
          row["recording"] = name;
          row["points"] = r.points();
          row["search"] = p.name;
          row["to_95"] = to_95;
          row["to_97"] = to_97;
          row["to_99"] = to_99;
          row["median_97"] = median(to_97);
          rows.push_back(row);
        } else {
          fmt::print("{:<34} {:<22} {:>6} {:>6} {:>6}\n", fmt::format("{} ({} points)", name, r.points()), p.name, median(to_95), median(to_97), median(to_99));
          std::fflush(stdout);
        }
      }
    }
  }
  if (args.json) {
    Json j;
    j["seeds"] = args.seeds;
    j["trials"] = args.trials;
    j["rows"] = rows;
    fmt::print("{}\n", dump_json(j));
  }
  return 0;
}

}  // namespace tessera::autotune
