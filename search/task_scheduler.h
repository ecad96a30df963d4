// Which of several tasks gets the next batch of trials. After Ansor's gradient (Zheng et al., OSDI
// 2020, 6): the task whose batch is expected to lower the objective most. Changes: the expectation is
// the cost model's where it has one, never more than what the roofline leaves; a first visit costs one
// batch.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace tessera::search {

enum class Objective : std::uint8_t {
  kTotal,    // sum of weight * time: a network
  kGeomean,  // sum of weight * log(time): a suite of unrelated programs
};

struct ScheduledTask {
  double weight = 1;
  double roofline_ns = 0;  // no kernel is faster; 0: not known
  double flops = 0;
  std::string family = "";  // tasks of one family (operator, type, layout) learn from each other
};

class TaskScheduler {
 public:
  TaskScheduler(std::vector<ScheduledTask> tasks, Objective objective);

  /// The task whose turn it is; nullopt when all are done. The tasks come first in their order, once each.
  std::optional<std::size_t> next() const;
  /// Known once something was measured.
  void set_roofline(std::size_t task, double ns) { tasks_[task].roofline_ns = ns; }
  /// After a batch of a task: its best so far, its trials in all, the gain its next batch is expected to
  /// bring (0.01: 1 %; nullopt: not known), whether it has nothing left to try.
  void report(std::size_t task, double best_ns, int trials, std::optional<double> expected_gain, bool done);

 private:
  struct State {
    std::vector<double> best;  // after each of its batches
    int trials = 0;
    std::optional<double> expected_gain;
    bool done = false;
  };
  double gradient(std::size_t task) const;
  double forward(std::size_t task) const;

  std::vector<ScheduledTask> tasks_;
  Objective objective_;
  std::vector<State> states_;
};

}  // namespace tessera::search
