// A model trained ahead of time on the logs of many tasks: what a search knows before its first
// measurement. Trees correct each statement's part of the draft by a factor, and the parts add up: a
// statement of a new operator is judged by those like it in any other. One file: a line that says what it is, a JSON header, the trees.
#pragma once

#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "cost_model/booster.h"
#include "cost_model/features.h"

namespace tessera::cost_model {

/// Programs of one task with their measured times.
struct TaskData {
  std::string task;  // its name, for people
  std::vector<Features> programs;
  std::vector<double> ns;  // nanoseconds, > 0, one for each program
};

struct PriorInfo {
  Machine machine;  // on which its logs were measured
  std::int64_t tasks = 0, points = 0;  // tasks of different names
  std::string provenance;  // for people: when, from what
  static constexpr auto fields() {
    return std::tuple{field("machine", &PriorInfo::machine), field("tasks", &PriorInfo::tasks),
                      field("points", &PriorInfo::points), field("provenance", &PriorInfo::provenance)};
  }
  bool operator==(const PriorInfo&) const = default;
};

class Prior {
 public:
  Prior(Booster booster, DraftCoefficients draft, PriorInfo info);

  const PriorInfo& info() const { return info_; }
  const DraftCoefficients& draft() const { return draft_; }
  /// For each program an estimate of -log(time) up to a constant of its task: higher is better.
  Result<std::vector<double>> score(std::span<const Features> programs) const;

  /// The bytes of a file; `load` of them gives an equal prior.
  Result<std::string> bytes() const;
  Status save(const std::string& path) const;
  /// Refuses what is damaged, of another format or made from other features; the reason names `origin`
  /// and how to make a new one.
  static Result<Prior> from_bytes(std::string_view bytes, const std::string& origin);
  static Result<Prior> load(const std::string& path);

 private:
  Booster booster_;
  DraftCoefficients draft_;
  PriorInfo info_;
};

/// The prior that comes with the library (cost_model/priors/cpu.prior; `autotune train` makes it).
Result<Prior> shipped_prior();

struct TrainOptions {
  BoosterOptions booster{.trees = 100, .depth = 6, .learning_rate = 0.1, .min_child_weight = 5, .column_sample = 0.5};
  bool fit_draft = true;  // else the default coefficients
  Machine machine;
  std::string provenance;
};

/// Learns what decides times within each task, whatever its scale. Refuses when no task has two
/// programs of different times.
Result<Prior> train_prior(std::span<const TaskData> tasks, const TrainOptions& options);

struct TaskScore {
  std::string task;
  std::size_t programs = 0;
  double prior_accuracy = 0;  // pair accuracy
  double draft_accuracy = 0;
  double recall_30 = 0;       // of the prior, as the next two
  double top_1 = 0, top_8 = 0;
};
struct Evaluation {
  std::vector<TaskScore> tasks;
  TaskScore median;  // of each column; `programs` is the total
};
/// The draft's time of each row of the programs, one after the other.
std::vector<double> draft_parts(std::span<const Features> programs, const DraftCoefficients& draft);

/// On tasks the prior has not seen: the caller holds them out.
Result<Evaluation> evaluate(const Prior& prior, std::span<const TaskData> tasks);

}  // namespace tessera::cost_model
