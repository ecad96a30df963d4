#include "search/search.h"

#include <algorithm>
#include <chrono>

#include "driver/compile.h"

namespace tessera::search {

namespace {

using Clock = std::chrono::steady_clock;

double seconds_since(Clock::time_point start) { return std::chrono::duration<double>(Clock::now() - start).count(); }

std::string key_of(const std::string& sketch, const Decisions& d) {
  std::string key = sketch;
  for (const auto& [name, value] : d) key += " " + name + "=" + std::to_string(value);
  return key;
}

constexpr const char* kDefaultPlan = "default";

}  // namespace

Search::Search(const Task& task, SearchOptions options)
    : task_(task), options_(options), task_hash_(task.hash()), sketches_(generate_sketches(task)) {}

void Search::remember(const Trial& t) { known_[{t.candidate.batch, t.candidate.slot}] = t; }

std::optional<Candidate> Search::draw(int batch, int slot) {
  Candidate c;
  c.batch = batch;
  c.slot = slot;
  if (batch == 0 && slot == 0) {
    c.sketch = kDefaultPlan;
    c.steps = driver::default_plan(task_.dag, task_.target);
    proposed_.insert(kDefaultPlan);
    return c;
  }
  Rng rng(options_.seed, {task_hash_, static_cast<std::uint64_t>(batch), static_cast<std::uint64_t>(slot)});
  constexpr int kTries = 64;  // a small space may be exhausted
  for (int i = 0; i < kTries && !sketches_.empty(); ++i) {
    const Sketch& s = rng.pick(sketches_);
    const auto point = s.space.sample(rng);
    if (!point) continue;
    const Decisions decisions = s.space.decisions(*point);
    if (!proposed_.insert(key_of(s.name, decisions)).second) continue;
    auto steps = schedule::fill_holes(s.steps, decisions);
    if (!steps.ok() || !driver::scheduled(task_.dag, *steps).ok()) {
      ++rejected_;
      continue;
    }
    c.sketch = s.name;
    c.decisions = decisions;
    c.steps = std::move(*steps);
    return c;
  }
  return std::nullopt;
}

std::vector<Candidate> Search::propose(int batch) {
  std::vector<Candidate> out;
  for (int slot = 0; slot < options_.batch_size; ++slot) {
    auto c = draw(batch, slot);
    if (!c) break;
    out.push_back(std::move(*c));
  }
  return out;
}

void Search::note(const Trial& t) {
  ++progress_.trials;
  if (!t.ok()) {
    ++progress_.failed[std::string(runtime::to_string(t.measurement.status))];
    return;
  }
  ++progress_.ok;
  ok_.push_back(t);
  const std::int64_t ns = t.measurement.min_ns();
  if (progress_.best_ns == 0 || ns < progress_.best_ns) {
    progress_.best_ns = ns;
    progress_.probe_gflops = t.measurement.median_probe_gflops();
  }
}

SearchResult Search::run(Measurer& measurer, const SearchHooks& hooks) {
  const auto start = Clock::now();
  progress_.wanted = options_.trials;
  SearchResult result;
  result.stopped = hooks.stop();
  for (int batch = 0; progress_.trials < options_.trials && !result.stopped; ++batch) {
    const auto proposing = Clock::now();
    std::vector<Candidate> candidates = propose(batch);
    progress_.search_seconds += seconds_since(proposing);
    if (candidates.empty()) break;  // the whole space has been measured
    std::vector<Candidate> fresh;
    for (Candidate& c : candidates) {
      if (progress_.trials + static_cast<int>(fresh.size()) >= options_.trials) break;
      if (const auto it = known_.find({c.batch, c.slot}); it != known_.end()) {
        note(it->second);
        continue;
      }
      c.trial = progress_.trials + static_cast<int>(fresh.size());
      fresh.push_back(std::move(c));
    }
    const auto done = [&](const Trial& t) {
      note(t);
      if (hooks.trial) hooks.trial(t);
      progress_.wall_seconds = seconds_since(start);
      if (hooks.progress) hooks.progress(progress_);
    };
    if (!fresh.empty()) measurer.measure(fresh, progress_.best_ns, done, hooks.stop);
    result.stopped = hooks.stop();
  }
  std::stable_sort(ok_.begin(), ok_.end(), [](const Trial& a, const Trial& b) { return a.measurement.min_ns() < b.measurement.min_ns(); });
  std::vector<Trial> finalists(ok_.begin(), ok_.begin() + static_cast<std::ptrdiff_t>(std::min<std::size_t>(ok_.size(), static_cast<std::size_t>(options_.finalists))));
  // Who interrupts wants the prompt back: the best trial then stands as it was measured.
  if (result.stopped && !finalists.empty()) {
    result.best = finalists.front();
  } else if (!finalists.empty()) {
    std::vector<Trial> again = measurer.remeasure(finalists);
    std::erase_if(again, [](const Trial& t) { return !t.ok(); });
    std::stable_sort(again.begin(), again.end(), [](const Trial& a, const Trial& b) { return a.measurement.median_ns() < b.measurement.median_ns(); });
    if (hooks.final_trial) {
      for (const Trial& t : again) hooks.final_trial(t);
    }
    result.best = again.empty() ? finalists.front() : again.front();
  }
  progress_.wall_seconds = seconds_since(start);
  result.progress = progress_;
  result.rejected = rejected_;
  return result;
}

}  // namespace tessera::search
