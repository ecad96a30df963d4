#include "tuning_logs/insight.h"

#include <algorithm>
#include <map>
#include <tuple>

#include "tuning_logs/query.h"

namespace tessera::tuning_logs {

namespace {

/// Seconds that each record took: since the record or header before it, of any task. Times of a
/// clock that was set back count as nothing.
std::map<const Record*, double> costs(const LogContents& log) {
  std::vector<const Record*> all;
  for (const Record& r : log.headers) all.push_back(&r);
  for (const Record& r : log.records) all.push_back(&r);
  std::stable_sort(all.begin(), all.end(), [](const Record* a, const Record* b) { return a->time_ns < b->time_ns; });
  std::map<const Record*, double> out;
  const Record* before = nullptr;
  for (const Record* r : all) {
    if (before != nullptr) out[r] = (static_cast<double>(r->time_ns) - static_cast<double>(before->time_ns)) * 1e-9;
    before = r;
  }
  return out;
}

void add_sketches(TaskInsight& task) {
  std::map<std::string, std::size_t> place;
  std::vector<std::vector<TimedPoint>> points;
  std::vector<TimedPoint> all;
  for (const Record* r : task.trials) {
    const auto [it, fresh] = place.emplace(r->sketch, task.sketches.size());
    if (fresh) {
      task.sketches.push_back({r->sketch, 0, 0, nullptr, {}});
      points.emplace_back();
    }
    SketchInsight& s = task.sketches[it->second];
    ++s.trials;
    if (!r->ok()) continue;
    ++s.ok;
    if (s.best == nullptr || r->median_ns() < s.best->median_ns()) s.best = r;
    points[it->second].push_back({r->sketch, &r->decisions, r->median_ns()});
    all.push_back(points[it->second].back());
  }
  int with_holes = 0;
  for (std::size_t i = 0; i < points.size(); ++i) {
    task.sketches[i].holes = hole_importance(points[i]);
    with_holes += task.sketches[i].holes.empty() ? 0 : 1;
  }
  if (with_holes > 1) task.together = hole_importance(all);
  std::stable_sort(task.sketches.begin(), task.sketches.end(), [](const SketchInsight& a, const SketchInsight& b) {
    const auto rank = [](const SketchInsight& s) { return s.best == nullptr ? INT64_MAX : s.best->median_ns(); };
    return rank(a) < rank(b);
  });
}

}  // namespace

std::vector<TaskInsight> insights(const LogContents& log) {
  using Key = std::tuple<std::string, std::string, int>;
  const auto key_of = [](const Record& r) { return Key(r.task.hash, r.target, r.threads); };
  std::map<Key, std::size_t> place;
  std::vector<TaskInsight> out;
  const std::map<const Record*, double> cost = costs(log);
  for (const Record& r : log.records) {
    const auto [it, fresh] = place.emplace(key_of(r), out.size());
    if (fresh) out.emplace_back().first = &r;
    TaskInsight& task = out[it->second];
    if (r.kind == RecordKind::kFinal) {
      task.finals.push_back(&r);
      continue;
    }
    const auto seconds = cost.find(&r);
    const double before = task.elapsed_seconds.empty() ? 0 : task.elapsed_seconds.back();
    task.elapsed_seconds.push_back(before + (seconds == cost.end() ? 0 : seconds->second));
    task.trials.push_back(&r);
    task.ok += r.ok() ? 1 : 0;
  }
  for (Record& best : best_records(log)) out[place.at(key_of(best))].best = std::move(best);
  for (TaskInsight& task : out) {
    task.failures = group_failures(task.trials);
    add_sketches(task);
  }
  return out;
}

}  // namespace tessera::tuning_logs
