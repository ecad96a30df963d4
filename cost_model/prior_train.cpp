#include <algorithm>
#include <cmath>
#include <numeric>
#include <set>

#include "cost_model/metrics.h"
#include "cost_model/prior.h"

namespace tessera::cost_model {

namespace {

// Every task weighs the same, but for those with few programs; fast programs weigh more than slow ones.
std::vector<DraftPoint> draft_points(std::span<const TaskData> tasks) {
  constexpr double kWholeTask = 50;  // programs
  std::vector<DraftPoint> out;
  int number = 0;
  for (const TaskData& t : tasks) {
    ++number;
    if (t.ns.empty()) continue;
    const double best = *std::min_element(t.ns.begin(), t.ns.end());
    double total = 0;
    for (const double ns : t.ns) total += std::sqrt(best / ns);
    const double task = std::min(1.0, static_cast<double>(t.ns.size()) / kWholeTask);
    for (std::size_t i = 0; i < t.ns.size(); ++i) out.push_back({t.programs[i].terms, t.ns[i], task * std::sqrt(best / t.ns[i]) / total, number});
  }
  return out;
}

// The same coefficients in nanoseconds: tasks fix only their ratios.
void fix_scale(std::span<const DraftPoint> points, DraftCoefficients& c) {
  double sum = 0, total = 0;
  for (const DraftPoint& p : points) {
    sum += p.weight * std::log(p.ns / draft_ns(p.terms, c));
    total += p.weight;
  }
  for (double& x : c) x *= std::exp(sum / total);
}

double median_of(const std::vector<TaskScore>& rows, double TaskScore::*column) {
  std::vector<double> v;
  for (const TaskScore& r : rows) v.push_back(r.*column);
  std::sort(v.begin(), v.end());
  const std::size_t n = v.size();
  return n == 0 ? 0 : n % 2 == 1 ? v[n / 2] : (v[n / 2 - 1] + v[n / 2]) / 2;
}

bool has_order(const TaskData& t) {
  return !t.ns.empty() && std::any_of(t.ns.begin(), t.ns.end(), [&](double ns) { return ns != t.ns[0]; });
}

}  // namespace

std::vector<double> draft_parts(std::span<const Features> programs, const DraftCoefficients& draft) {
  std::vector<double> out;
  for (const Features& f : programs) {
    DraftTerms rest = f.terms;
    for (const DraftTerms& part : f.parts) {
      double ns = 0;
      for (std::size_t t = 0; t < kDraftTerms; ++t) {
        ns += draft[t] * part[t];
        rest[t] = std::max(0.0, rest[t] - part[t]);
      }
      out.push_back(ns);
    }
    double ns = 0;
    for (std::size_t t = 0; t < kDraftTerms; ++t) ns += draft[t] * rest[t];
    out.push_back(ns);
  }
  return out;
}

Result<Prior> train_prior(std::span<const TaskData> tasks, const TrainOptions& options) {
  if (std::none_of(tasks.begin(), tasks.end(), has_order)) {
    return refuse("a prior is learned from the order of a task's programs; no task has two of different times");
  }
  PackedRows packed(feature_count());
  std::vector<double> ns;
  std::vector<std::size_t> begin{0};
  for (const TaskData& t : tasks) {
    for (const Features& f : t.programs) packed.add(f.values);
    ns.insert(ns.end(), t.ns.begin(), t.ns.end());
    begin.push_back(ns.size());
  }
  std::set<std::string> names;
  for (const TaskData& t : tasks) names.insert(t.task);
  PriorInfo info{options.machine, static_cast<std::int64_t>(names.size()), static_cast<std::int64_t>(ns.size()), options.provenance};
  DraftCoefficients draft = default_draft();
  if (options.fit_draft) {
    const std::vector<DraftPoint> points = draft_points(tasks);
    TESSERA_TRY(fitted, fit_draft(points, draft));
    draft = fitted;
    fix_scale(points, draft);
  }
  TESSERA_TRY(training, TrainingRows::make(std::move(packed)));
  std::vector<double> parts;
  for (const TaskData& t : tasks) {
    const std::vector<double> own = draft_parts(t.programs, draft);
    parts.insert(parts.end(), own.begin(), own.end());
  }
  TESSERA_TRY(booster, Booster::train_parts(training, CentredLogTime(ns, begin), parts, options.booster));
  return Prior(std::move(booster), draft, std::move(info));
}

Result<Evaluation> evaluate(const Prior& prior, std::span<const TaskData> tasks) {
  Evaluation out;
  for (const TaskData& t : tasks) {
    TESSERA_TRY(scores, prior.score(t.programs));
    std::vector<double> draft;
    for (const Features& f : t.programs) draft.push_back(-draft_ns(f.terms, prior.draft()));
    out.tasks.push_back({t.task, t.ns.size(), pair_accuracy(scores, t.ns), pair_accuracy(draft, t.ns), recall_at(30, scores, t.ns),
                         top_score(1, scores, t.ns), top_score(8, scores, t.ns)});
    out.median.programs += t.ns.size();
  }
  out.median.task = "median";
  for (double TaskScore::*column : {&TaskScore::prior_accuracy, &TaskScore::draft_accuracy, &TaskScore::recall_30, &TaskScore::top_1, &TaskScore::top_8}) {
    out.median.*column = median_of(out.tasks, column);
  }
  return out;
}

}  // namespace tessera::cost_model
