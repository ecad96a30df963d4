#include "search/feature_source.h"

#include <thread>

#include "schedule/summary.h"

namespace tessera::search {

cost_model::Machine machine_of(const Task& task) { return cost_model::make_machine(task.target, task.threads, read_cache_sizes()); }

FeatureSource::FeatureSource(const Task& task, const std::vector<Sketch>& sketches, const cost_model::Machine& machine, int jobs)
    : sketches_(&sketches),
      machine_(machine),
      initial_(schedule::State::initial(std::make_shared<const dsl::ComputeDag>(task.dag)).or_throw()),
      jobs_(jobs) {}

FeatureSource::~FeatureSource() = default;

Result<cost_model::Features> FeatureSource::of_steps(const schedule::StepList& steps) const {
  TESSERA_TRY(state, schedule::replay(initial_, steps));
  TESSERA_TRY(nest, schedule::summarize(state));
  return cost_model::extract(nest, machine_);
}

Result<cost_model::Features> FeatureSource::one(const Point& p) const {
  TESSERA_TRY(steps, steps_of(*sketches_, p));
  return of_steps(steps);
}

std::vector<cost_model::Features> FeatureSource::of(std::span<const Point> points) const {
  std::vector<cost_model::Features> out(points.size());
  const auto share = [&](std::size_t first, std::size_t step) {
    for (std::size_t i = first; i < points.size(); i += step) {
      if (auto f = one(points[i]); f.ok()) out[i] = std::move(*f);
    }
  };
  const auto jobs = static_cast<std::size_t>(std::max(jobs_, 1));
  std::vector<std::thread> others;
  for (std::size_t j = 1; j < jobs; ++j) others.emplace_back(share, j, jobs);
  share(0, jobs);
  for (std::thread& t : others) t.join();
  return out;
}

}  // namespace tessera::search
