#include "search/feature_source.h"

#include <map>
#include <mutex>
#include <thread>

#include "schedule/summary.h"

namespace tessera::search {

cost_model::Machine machine_of(const Task& task) { return cost_model::make_machine(task.target, task.threads, read_cache_sizes()); }

/// Templates of a sketch: some for each choice of what changes more than numbers (the chunks of an algorithm), since one
/// often tells only of points whose regions have the form that its first one has.
struct FeatureSource::SketchSummaries {
  struct Templates {
    std::vector<schedule::SummaryTemplate> made;
    int tried = 0;
  };
  static constexpr int kMostTemplates = 24;

  std::mutex mutex;
  std::map<Values, Templates> of;  // by the values of `fixed`
  std::once_flag once;
  std::vector<std::size_t> fixed;  // holes of use_algorithm
};

namespace {

/// Holes of steps whose numbers change which stages there are.
std::vector<std::size_t> structural_holes(const Sketch& s) {
  std::vector<std::size_t> out;
  for (const schedule::Step& step : s.steps) {
    if (!std::holds_alternative<schedule::UseAlgorithm>(step)) continue;
    for (const std::string& hole : schedule::open_holes({step})) out.push_back(*s.space.find(hole));
  }
  return out;
}

/// From the point `like`, compared at others that have its values in the holes `fixed`.
std::optional<schedule::SummaryTemplate> made_summaries(const schedule::State& initial, const Sketch& s, const std::vector<std::size_t>& fixed, const Values& like) {
  constexpr std::size_t kProbes = 8;
  std::vector<std::string> holes;
  std::vector<std::vector<std::int64_t>> domains;
  for (const Hole& h : s.space.holes()) {
    holes.push_back(h.name);
    domains.push_back(h.domain);
  }
  for (const std::size_t h : fixed) domains[h] = {like[h]};
  schedule::StepList steps = s.steps;
  for (schedule::Step& step : steps) {
    if (!std::holds_alternative<schedule::UseAlgorithm>(step)) continue;
    auto filled = schedule::fill_holes({step}, s.space.decisions(like));
    if (!filled.ok()) return std::nullopt;
    step = std::move(filled->front());
  }
  std::vector<Values> probes{like};
  Rng rng(1);  // of its own, so that what a search draws does not depend on the road
  while (probes.size() < kProbes) {
    auto probe = fixed.empty() ? s.space.sample(rng) : s.space.solve(domains, rng);
    if (!probe) return std::nullopt;
    probes.push_back(std::move(*probe));
  }
  auto made = schedule::SummaryTemplate::make(initial, steps, holes, probes);
  if (!made.ok()) return std::nullopt;
  return std::move(*made);
}

}  // namespace

FeatureSource::FeatureSource(const Task& task, const std::vector<Sketch>& sketches, const cost_model::Machine& machine, int jobs)
    : sketches_(&sketches),
      machine_(machine),
      initial_(schedule::State::initial(std::make_shared<const dsl::ComputeDag>(task.dag)).or_throw()),
      summaries_(new SketchSummaries[sketches.size()]),
      jobs_(jobs) {}

FeatureSource::~FeatureSource() = default;

Result<cost_model::Features> FeatureSource::of_steps(const schedule::StepList& steps) const {
  TESSERA_TRY(state, schedule::replay(initial_, steps));
  TESSERA_TRY(nest, schedule::summarize(state));
  return cost_model::extract(nest, machine_);
}

bool FeatureSource::summarize(const Point& p, ir::NestSummary& out) const {
  SketchSummaries& s = summaries_[p.sketch];
  const Sketch& sketch = (*sketches_)[p.sketch];
  std::call_once(s.once, [&] { s.fixed = structural_holes(sketch); });
  Values key;
  for (const std::size_t h : s.fixed) key.push_back(p.values[h]);
  std::unique_lock lock(s.mutex);
  SketchSummaries::Templates& templates = s.of[key];
  const std::vector<schedule::SummaryTemplate> made = templates.made;
  lock.unlock();
  for (const schedule::SummaryTemplate& t : made) {
    if (t.evaluate(p.values, out)) return true;
  }
  lock.lock();
  if (templates.tried >= SketchSummaries::kMostTemplates) return false;
  ++templates.tried;
  auto another = made_summaries(initial_, sketch, s.fixed, p.values);
  if (!another || !another->evaluate(p.values, out)) return false;
  templates.made.push_back(std::move(*another));
  return true;
}

void FeatureSource::one(const Point& p, cost_model::Features& out) const {
  thread_local ir::NestSummary nest;
  const Sketch& sketch = (*sketches_)[p.sketch];
  // Numbers tell nothing of a point outside the space: only a replay refuses it.
  if (sketch.space.contains(p.values) && summarize(p, nest)) {
    cost_model::extract(nest, machine_, out);
    return;
  }
  const auto steps = steps_of(*sketches_, p);
  if (!steps.ok()) return;
  if (auto f = of_steps(*steps); f.ok()) out = std::move(*f);
}

std::vector<cost_model::Features> FeatureSource::of(std::span<const Point> points) const {
  std::vector<cost_model::Features> out(points.size());
  const auto share = [&](std::size_t first, std::size_t step) {
    for (std::size_t i = first; i < points.size(); i += step) one(points[i], out[i]);
  };
  const auto jobs = static_cast<std::size_t>(std::max(jobs_, 1));
  std::vector<std::thread> others;
  for (std::size_t j = 1; j < jobs; ++j) others.emplace_back(share, j, jobs);
  share(0, jobs);
  for (std::thread& t : others) t.join();
  return out;
}

}  // namespace tessera::search
