#include "search/simulation.h"

#include <algorithm>

#include "search/training.h"

namespace tessera::search {

RecordedMeasurer::RecordedMeasurer(const Recording& recording, std::uint64_t seed) : seed_(seed) {
  for (const RecordedSketch& s : recording.sketches) {
    sketches_[s.sketch.name] = &s;
    for (std::size_t i = 0; i < s.points.size(); ++i) {
      times_[{s.sketch.name, s.points[i]}] = &s.ns[i];
      for (const std::int64_t ns : s.ns[i]) optimum_ = optimum_ == 0 ? ns : std::min(optimum_, ns);
    }
  }
}

const std::vector<std::int64_t>* RecordedMeasurer::times_of(const Candidate& c) const {
  const auto sketch = sketches_.find(c.sketch);
  if (sketch == sketches_.end()) return nullptr;
  const auto values = sketch->second->sketch.space.values(c.decisions);
  if (!values) return nullptr;
  const auto it = times_.find({c.sketch, *values});
  return it == times_.end() || it->second->empty() ? nullptr : it->second;
}

std::int64_t RecordedMeasurer::truth(const Candidate& c) const {
  const auto* times = times_of(c);
  return times == nullptr ? 0 : *std::min_element(times->begin(), times->end());
}

std::vector<Trial> RecordedMeasurer::measure(const std::vector<Candidate>& batch, std::int64_t, const std::function<void(const Trial&)>& done,
                                             const std::function<bool()>& stop) {
  std::vector<Trial> out;
  for (const Candidate& c : batch) {
    Trial t;
    t.candidate = c;
    if (const auto* times = times_of(c)) {
      // Which three depends on the seed and the point alone: the same log gives the same proposals.
      Rng rng(seed_, {hash_bytes(c.sketch), static_cast<std::uint64_t>(c.batch), static_cast<std::uint64_t>(c.slot)});
      std::vector<std::int64_t> drawn = *times;
      for (std::size_t n = drawn.size(); n > 1; --n) std::swap(drawn[n - 1], drawn[static_cast<std::size_t>(rng.below(static_cast<std::int64_t>(n)))]);
      drawn.resize(std::min<std::size_t>(drawn.size(), 3));
      t.measurement.status = runtime::MeasureStatus::kOk;
      t.measurement.samples_ns = drawn;
    } else {
      t.measurement = runtime::failed_measurement(runtime::MeasureStatus::kCrash, "timing", "the point failed when it was recorded");
    }
    done(t);
    out.push_back(std::move(t));
    if (stop()) break;
  }
  return out;
}

SimulationResult simulate(const Recording& recording, const Task& task, SearchOptions options) {
  options.verify = driver::VerifyWhen::kNever;  // these points were judged when they were recorded, by measuring them
  std::vector<Sketch> sketches;
  for (const RecordedSketch& s : recording.sketches) sketches.push_back(s.sketch);
  options.default_first = false;
  options.finalists = 0;
  if (!options.machine) options.machine = machine_of(recording).or_throw();
  RecordedMeasurer measurer(recording, options.seed);
  SimulationResult out;
  std::int64_t best = 0, truth = 0;
  SearchHooks hooks;
  hooks.trial = [&](const Trial& t) {
    if (t.ok() && (best == 0 || t.measurement.min_ns() < best)) {
      best = t.measurement.min_ns();
      truth = measurer.truth(t.candidate);
    }
    out.share.push_back(truth == 0 ? 0 : static_cast<double>(measurer.optimum()) / static_cast<double>(truth));
  };
  Search(task, std::move(sketches), options).run(measurer, hooks);
  const auto reached = [&](double share) {
    const auto at = std::find_if(out.share.begin(), out.share.end(), [&](double s) { return s >= share; });
    return at == out.share.end() ? options.trials + 1 : static_cast<int>(at - out.share.begin()) + 1;
  };
  out.to_95 = reached(0.95);
  out.to_97 = reached(0.97);
  out.to_99 = reached(0.99);
  return out;
}

}  // namespace tessera::search
