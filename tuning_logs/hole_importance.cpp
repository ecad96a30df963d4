#include "tuning_logs/hole_importance.h"

#include <algorithm>
#include <cmath>
#include <set>

#include "support/rng.h"

namespace tessera::tuning_logs {

namespace {

/// A trial as one hole sees it.
struct Observation {
  std::int64_t value = 0;
  double log_time = 0;  // about the mean of its sketch
  std::int64_t ns = 0;
  int level = 0;
};

/// Trials that set `hole`, by its value, and the number of their sketches.
std::vector<Observation> observe(const std::vector<TimedPoint>& points, const std::string& hole, int& sketches) {
  std::map<std::string, std::pair<double, int>> means;
  for (const TimedPoint& p : points) {
    if (!p.decisions->contains(hole)) continue;
    auto& [sum, n] = means[p.sketch];
    sum += std::log(static_cast<double>(p.ns));
    ++n;
  }
  std::vector<Observation> out;
  for (const TimedPoint& p : points) {
    const auto value = p.decisions->find(hole);
    if (value == p.decisions->end()) continue;
    const auto& [sum, n] = means[p.sketch];
    out.push_back({value->second, std::log(static_cast<double>(p.ns)) - sum / n, p.ns, 0});
  }
  std::stable_sort(out.begin(), out.end(), [](const Observation& a, const Observation& b) { return a.value < b.value; });
  sketches = static_cast<int>(means.size());
  return out;
}

/// Joins neighbouring values until each level has `fewest` observations; the number of levels.
int join_values(std::vector<Observation>& all, int fewest) {
  int level = 0, inside = 0;
  for (std::size_t i = 0; i < all.size(); ++i) {
    const bool new_value = i > 0 && all[i].value != all[i - 1].value;
    if (new_value && inside >= fewest) {
      ++level;
      inside = 0;
    }
    all[i].level = level;
    ++inside;
  }
  if (level > 0 && inside < fewest) {  // the last ones are too few for a level of their own
    for (Observation& o : all) o.level = std::min(o.level, level - 1);
    --level;
  }
  return level + 1;
}

int make_levels(std::vector<Observation>& all) {
  for (int fewest = kFewestLevelPoints;; fewest *= 2) {
    const int levels = join_values(all, fewest);
    if (levels <= kMostLevels) return levels;
  }
}

/// Sum of squares between the levels; `times` holds the log times in the order of `all`.
double between(const std::vector<Observation>& all, const std::vector<double>& times, int levels) {
  std::vector<double> sum(static_cast<std::size_t>(levels)), n(static_cast<std::size_t>(levels));
  for (std::size_t i = 0; i < all.size(); ++i) {
    sum[static_cast<std::size_t>(all[i].level)] += times[i];
    n[static_cast<std::size_t>(all[i].level)] += 1;
  }
  double out = 0;
  for (std::size_t l = 0; l < sum.size(); ++l) out += sum[l] * sum[l] / n[l];
  return out;
}

/// How often shuffled times lie between the levels as much as the real ones do. Fewer shuffles for
/// many points, where chance plays no part.
double chance_of(const std::vector<Observation>& all, std::vector<double> times, int levels, double found) {
  const auto n = static_cast<std::int64_t>(all.size());
  const auto shuffles = static_cast<int>(std::clamp<std::int64_t>(4'000'000 / n, 19, 199));
  Rng rng(1);
  int as_much = 0;
  for (int k = 0; k < shuffles; ++k) {
    for (std::size_t i = times.size() - 1; i > 0; --i) std::swap(times[i], times[static_cast<std::size_t>(rng.below(static_cast<std::int64_t>(i) + 1))]);
    as_much += between(all, times, levels) >= found ? 1 : 0;
  }
  return (1.0 + as_much) / (1.0 + shuffles);
}

/// Median log time of the fastest quarter of a level.
double typical(std::vector<double> times) {
  std::sort(times.begin(), times.end());
  const std::size_t quarter = (times.size() + 3) / 4;
  return (times[(quarter - 1) / 2] + times[quarter / 2]) / 2;
}

std::vector<HoleLevel> describe_levels(const std::vector<Observation>& all, int count) {
  std::vector<HoleLevel> levels(static_cast<std::size_t>(count));
  std::vector<std::vector<double>> times(levels.size());
  for (const Observation& o : all) {
    HoleLevel& l = levels[static_cast<std::size_t>(o.level)];
    if (l.points++ == 0) l.low = o.value;
    l.high = o.value;
    if (l.best_ns == 0 || o.ns < l.best_ns) l.best_ns = o.ns;
    times[static_cast<std::size_t>(o.level)].push_back(o.log_time);
  }
  double best = INFINITY;
  for (std::size_t i = 0; i < levels.size(); ++i) best = std::min(best, levels[i].penalty = typical(times[i]));
  for (HoleLevel& l : levels) l.penalty = std::exp(l.penalty - best) - 1;
  return levels;
}

HoleImportance importance_of(const std::vector<TimedPoint>& points, const std::string& hole) {
  HoleImportance out;
  out.hole = hole;
  int sketches = 0;
  std::vector<Observation> all = observe(points, hole, sketches);
  out.points = static_cast<int>(all.size());
  for (std::size_t i = 0; i < all.size(); ++i) out.values += i == 0 || all[i].value != all[i - 1].value ? 1 : 0;
  const int levels = make_levels(all);
  const int free_within = out.points - sketches - (levels - 1);
  if (out.points < kFewestPoints || levels < 2 || free_within < kFewestLevelPoints) return out;

  std::vector<double> times;
  double total = 0;
  for (const Observation& o : all) {
    times.push_back(o.log_time);
    total += o.log_time * o.log_time;
  }
  out.levels = describe_levels(all, levels);
  out.share = 0;
  constexpr double kNoSpread = 1e-12;  // equal times: nothing to explain
  if (total < kNoSpread) return out;
  const double found = between(all, times, levels);
  const double within = std::max(0.0, total - found) / free_within, spread = total / (out.points - sketches);
  out.share = std::clamp(1 - within / spread, 0.0, 1.0);
  out.chance = chance_of(all, std::move(times), levels, found);
  return out;
}

}  // namespace

std::vector<HoleImportance> hole_importance(const std::vector<TimedPoint>& points) {
  std::set<std::string> holes;
  for (const TimedPoint& p : points) {
    for (const auto& [hole, value] : *p.decisions) holes.insert(hole);
  }
  std::vector<HoleImportance> out;
  for (const std::string& hole : holes) out.push_back(importance_of(points, hole));
  std::stable_sort(out.begin(), out.end(), [](const HoleImportance& a, const HoleImportance& b) { return a.share.value_or(-1) > b.share.value_or(-1); });
  return out;
}

}  // namespace tessera::tuning_logs
