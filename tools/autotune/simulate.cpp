#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "search/simulation.h"
#include "support/nearest.h"
#include "tools/autotune/commands.h"

namespace tessera::autotune {

namespace {

using search::SimulationResult;

/// A way to search: what is added to the usual one and left out of it. The names are keys of the JSON, so
/// that claims can name them.
struct Policy {
  const char* name;
  const char* with;
  const char* without;
};
constexpr Policy kPolicies[] = {
    {"full", "", ""},
    {"without_prior", "", "prior"},
    {"with_evolution", "evolution", ""},
    {"without_model", "", "model"},
    {"without_draft_prior", "", "draft,prior"},
    {"random", "", "draft,prior,model"},
};

/// How near to the optimum, and the trials until then.
struct Goal {
  const char* name;
  int SimulationResult::*trials;
};
constexpr Goal kGoals[] = {{"to_95", &SimulationResult::to_95}, {"to_97", &SimulationResult::to_97}, {"to_99", &SimulationResult::to_99}};

int median(std::vector<int> v) {
  std::nth_element(v.begin(), v.begin() + static_cast<std::ptrdiff_t>(v.size() / 2), v.end());
  return v[v.size() / 2];
}

/// One search a seed.
std::vector<SimulationResult> searches(const search::Recording& r, const search::Task& task, const Policy& p, const SimulateArgs& args) {
  SearchArgs s = args.search;
  s.with = p.with;
  s.without = p.without;
  std::vector<SimulationResult> out;
  for (int seed = 1; seed <= args.seeds; ++seed) {
    s.seed = static_cast<std::uint64_t>(seed);
    out.push_back(search::simulate(r, task, session_options(s, args.trials, "", false).search));
  }
  return out;
}

}  // namespace

int run_simulate(const SimulateArgs& args) {
  Json rows = Json::array();
  std::map<std::string, std::map<std::string, int>> worst;  // medians, by policy and goal
  if (!args.json) fmt::print("{:<34} {:<22} {:>6} {:>6} {:>6}\n", "recording", "search", "95 %", "97 %", "99 %");
  for (const std::string& file : args.recordings) {
    const auto recordings = search::read_recordings(file);
    TESSERA_ENVIRONMENT_CHECK(recordings.ok()) << recordings.reason();
    for (const search::Recording& r : *recordings) {
      const auto task = r.to_task();
      TESSERA_ENVIRONMENT_CHECK(task.ok()) << file << ": " << task.reason();
      const std::string name = r.task.request.preset.empty() ? r.task.name : r.task.request.preset;
      for (const Policy& p : kPolicies) {
        const std::vector<SimulationResult> results = searches(r, *task, p, args);
        Json row;
        row["recording"] = name;
        row["points"] = r.points();
        row["search"] = p.name;
        Json medians;
        std::string text;
        for (const Goal& goal : kGoals) {
          std::vector<int> trials;
          for (const SimulationResult& result : results) trials.push_back(result.*goal.trials);
          const int m = median(trials);
          row[goal.name] = trials;
          medians[goal.name] = m;
          worst[p.name][goal.name] = std::max(worst[p.name][goal.name], m);
          text += fmt::format(" {:>6}", m);
        }
        row["median"] = std::move(medians);
        rows.push_back(std::move(row));
        if (args.json) continue;
        fmt::print("{:<34} {:<22}{}\n", fmt::format("{} ({} points)", name, r.points()), p.name, text);
        std::fflush(stdout);
      }
    }
  }
  if (args.json) {
    Json j;
    j["seeds"] = args.seeds;
    j["trials"] = args.trials;
    j["worst"] = worst;
    j["rows"] = std::move(rows);
    fmt::print("{}\n", dump_json(j));
  }
  return 0;
}

}  // namespace tessera::autotune
