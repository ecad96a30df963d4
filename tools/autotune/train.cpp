#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "search/training.h"
#include "support/nearest.h"
#include "tools/autotune/commands.h"

namespace tessera::autotune {

namespace {

struct Data {
  std::vector<cost_model::TaskData> tasks;  // a task of two recordings is there twice
  std::set<std::string> names;
  std::set<std::string> machines, dates;
  std::optional<cost_model::Machine> machine;
  std::int64_t points = 0;
};

Data read_data(const std::vector<std::string>& files) {
  Data out;
  for (const std::string& file : files) {
    const auto recordings = search::read_recordings(file);
    TESSERA_ENVIRONMENT_CHECK(recordings.ok()) << recordings.reason();
    for (const search::Recording& r : *recordings) {
      auto data = search::training_data(r);
      TESSERA_ENVIRONMENT_CHECK(data.ok()) << file << ": " << data.reason();
      const auto machine = search::machine_of(r);
      if (!out.machine && machine.ok()) out.machine = *machine;
      out.machines.insert(r.machine.cpu);
      out.dates.insert(r.date);
      out.points += static_cast<std::int64_t>(data->ns.size());
      if (data->ns.size() < 2) continue;
      out.names.insert(data->task);
      out.tasks.push_back(std::move(*data));
    }
  }
  return out;
}

std::string joined_set(const std::set<std::string>& words) { return joined(std::vector<std::string>(words.begin(), words.end()), ", "); }

Json json_of(const cost_model::TaskScore& s) {
  Json j;
  j["task"] = s.task;
  j["programs"] = s.programs;
  j["pair_accuracy"] = s.prior_accuracy;
  j["draft_pair_accuracy"] = s.draft_accuracy;
  j["recall_30"] = s.recall_30;
  j["top_1"] = s.top_1;
  j["top_8"] = s.top_8;
  return j;
}

void print_row(const cost_model::TaskScore& s, const std::string& name) {
  fmt::print("{:<42} {:>8} {:>9.3f} {:>9.3f} {:>9.3f} {:>7.3f} {:>7.3f}\n", name, s.programs, s.prior_accuracy, s.draft_accuracy, s.recall_30, s.top_1, s.top_8);
}

}  // namespace

int run_train(const TrainArgs& args) {
  const Data train = read_data(args.data);
  const Data heldout = read_data(args.heldout);
  TESSERA_ENVIRONMENT_CHECK(!train.tasks.empty()) << "no task with two measured points to train on";
  cost_model::TrainOptions options;
  options.machine = *train.machine;
  options.provenance = fmt::format("{} points of {} tasks, measured {} on {}; {}", train.points, train.names.size(), joined_set(train.dates),
                                   joined_set(train.machines), joined(args.data, ", "));
  const cost_model::Prior prior = cost_model::train_prior(train.tasks, options).or_throw();
  if (const Status s = prior.save(args.output); !s.ok()) throw UserError(s.reason(), 1);
  Json j;
  j["output"] = args.output;
  j["tasks"] = train.names.size();
  j["points"] = train.points;
  j["provenance"] = options.provenance;
  if (!args.json) fmt::print("{}: {}\n", args.output, options.provenance);
  if (!heldout.tasks.empty()) {
    const cost_model::Evaluation e = cost_model::evaluate(prior, heldout.tasks).or_throw();
    if (args.json) {
      j["heldout_tasks"] = e.tasks.size();
      j["heldout"] = Json::array();
      for (const auto& t : e.tasks) j["heldout"].push_back(json_of(t));
      j["median"] = json_of(e.median);
    } else {
      fmt::print("\n{:<42} {:>8} {:>9} {:>9} {:>9} {:>7} {:>7}\n", "held out", "programs", "pairs", "draft", "recall@30", "top-1", "top-8");
      for (const auto& t : e.tasks) print_row(t, t.task);
      print_row(e.median, "median");
    }
  }
  if (args.json) fmt::print("{}\n", dump_json(j));
  return 0;
}

}  // namespace tessera::autotune
