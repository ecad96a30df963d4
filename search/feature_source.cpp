#include "search/feature_source.h"

#include <mutex>
#include <thread>

#include "schedule/summary.h"

namespace tessera::search {

cost_model::Machine machine_of(const Task& task) { return cost_model::make_machine(task.target, task.threads, read_cache_sizes()); }

struct FeatureSource::SketchSummaries {
  std::once_flag once;
  std::optional<schedule::SummaryTemplate> summaries;  // none: its points are replayed
};

namespace {

std::optional<schedule::SummaryTemplate> made_summaries(const schedule::State& initial, const Sketch& s) {
  constexpr int kProbes = 8;
  std::vector<std::string> holes;
  for (const Hole& h : s.space.holes()) holes.push_back(h.name);
  std::vector<Values> probes;
  Rng rng(1);  // of its own, so that what a search draws does not depend on the road
  for (int i = 0; i < kProbes; ++i) {
    auto probe = s.space.sample(rng);
    if (!probe) return std::nullopt;
    probes.push_back(std::move(*probe));
  }
  auto made = schedule::SummaryTemplate::make(initial, s.steps, holes, probes);
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

const schedule::SummaryTemplate* FeatureSource::summaries_of(std::size_t sketch) const {
  SketchSummaries& s = summaries_[sketch];
  std::call_once(s.once, [&] { s.summaries = made_summaries(initial_, (*sketches_)[sketch]); });
  return s.summaries ? &*s.summaries : nullptr;
}

void FeatureSource::one(const Point& p, cost_model::Features& out) const {
  thread_local ir::NestSummary nest;
  const Sketch& sketch = (*sketches_)[p.sketch];
  // Numbers tell nothing of a point outside the space: only a replay refuses it.
  const auto* summaries = sketch.space.contains(p.values) ? summaries_of(p.sketch) : nullptr;
  if (summaries != nullptr && summaries->evaluate(p.values, nest)) {
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
