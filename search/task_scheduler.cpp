#include "search/task_scheduler.h"

#include <algorithm>
#include <cmath>

namespace tessera::search {

namespace {

constexpr double kBackward = 0.2;   // weight of what the last batches brought (Ansor's alpha)
constexpr std::size_t kWindow = 3;  // batches
constexpr double kOptimism = 2;     // similar tasks may reach that many times this one's rate (Ansor's beta)

}  // namespace

TaskScheduler::TaskScheduler(std::vector<ScheduledTask> tasks, Objective objective)
    : tasks_(std::move(tasks)), objective_(objective), states_(tasks_.size()) {}

/// Share of the best time that the next batch may save.
double TaskScheduler::forward(std::size_t task) const {
  const State& s = states_[task];
  const double best = s.best.back();
  // Without a model: as if progress went on like 1/trials.
  double gain = s.expected_gain ? *s.expected_gain : 1.0 / std::max(1, s.trials);
  for (std::size_t i = 0; i < tasks_.size() && !s.expected_gain; ++i) {
    const bool similar = i != task && tasks_[i].family == tasks_[task].family && !states_[i].best.empty() && tasks_[i].flops > 0;
    if (!similar) continue;
    const double reachable = tasks_[task].flops / tasks_[i].flops * states_[i].best.back() * kOptimism;
    gain = std::max(gain, 1 - reachable / best);
  }
  const double room = 1 - tasks_[task].roofline_ns / best;
  return std::clamp(gain, 0.0, std::max(room, 0.0));
}

double TaskScheduler::gradient(std::size_t task) const {
  const State& s = states_[task];
  double backward = 0;
  if (s.best.size() > kWindow) {
    const double before = s.best[s.best.size() - 1 - kWindow];
    backward = (before - s.best.back()) / before / static_cast<double>(kWindow);
  }
  const double share = kBackward * backward + (1 - kBackward) * forward(task);
  return tasks_[task].weight * share * (objective_ == Objective::kTotal ? s.best.back() : 1);
}

std::optional<std::size_t> TaskScheduler::next() const {
  std::optional<std::size_t> out;
  double most = -1;
  for (std::size_t i = 0; i < tasks_.size(); ++i) {
    if (states_[i].done) continue;
    if (states_[i].trials == 0) return i;
    if (states_[i].best.empty()) continue;  // nothing ran yet: considered below
    if (const double g = gradient(i); g > most) {
      most = g;
      out = i;
    }
  }
  // A task without any kernel is worse off than every other.
  for (std::size_t i = 0; i < tasks_.size(); ++i) {
    if (!states_[i].done && states_[i].best.empty()) return i;
  }
  return out;
}

void TaskScheduler::report(std::size_t task, double best_ns, int trials, std::optional<double> expected_gain, bool done) {
  State& s = states_[task];
  if (best_ns > 0) s.best.push_back(best_ns);
  s.trials = trials;
  s.expected_gain = expected_gain;
  s.done = done;
}

}  // namespace tessera::search
