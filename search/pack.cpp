#include "search/pack.h"

#include <atomic>
#include <chrono>
#include <map>
#include <mutex>
#include <optional>
#include <set>
#include <thread>

#include "driver/builder.h"
#include "search/proposer.h"
#include "search/session.h"

namespace tessera::search {

namespace {

constexpr const char* kDefaultPlan = "default";
// A pack goes to a machine elsewhere and comes back once, so a wrong draft costs a round trip: a quarter of
// the first pack is left to chance. Later packs trust what was measured.
constexpr double kRandomShare = 0.25;
// Spaces of tiles have millions of points and nothing but the draft knows them yet: points are bred under it.
constexpr int kPopulation = 1024, kGenerations = 6;

tuning_logs::PackedCandidate build(const Task& task, const Candidate& c) {
  tuning_logs::PackedCandidate out;
  out.trial = c.trial;
  out.sketch = c.sketch;
  out.decisions = c.decisions;
  out.plan = c.steps;
  const auto start = std::chrono::steady_clock::now();
  try {
    auto image = driver::compile(task.dag, c.steps, task.target);
    if (image.ok()) {
      out.image = std::move(*image);
    } else {
      out.status = driver::status_of_refusal(image.reason());
      out.message = image.reason();
    }
  } catch (const InternalError& e) {  // one candidate must not take the others with it
    out.status = runtime::MeasureStatus::kCompileCrash;
    out.message = e.what();
  }
  out.compile_ms = std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - start).count();
  return out;
}

}  // namespace

std::vector<Candidate> pack_candidates(const Task& task, const PackOptions& options, const std::vector<Trial>& measured) {
  const std::vector<PlannedSketch> planned = planned_sketches(task, options.path);
  const std::vector<Sketch> sketches = sketches_of(task, options.path, planned, {});
  Proposer proposer(task, sketches,
                    {.seed = options.seed, .batch_size = options.count, .population = kPopulation, .generations = kGenerations,
                     .jobs = options.jobs, .random_share = kRandomShare, .use_prior = false, .use_evolution = true});
  int trial = 0;
  bool default_known = false;
  std::set<Point> known;  // measured, or in the pack
  for (const Trial& t : measured) {
    const auto point = point_of(sketches, t.candidate.sketch, t.candidate.decisions);
    proposer.learn(t, point);
    if (point) known.insert(*point);
    trial = std::max(trial, t.candidate.trial + 1);
    default_known |= t.candidate.sketch == kDefaultPlan;
  }
  std::vector<Candidate> out;
  if (options.count > 0 && !default_known) {
    out.push_back({.trial = trial++, .sketch = kDefaultPlan, .decisions = {}, .steps = driver::default_plan(task.dag, task.target)});
  }
  const auto add = [&](const Point& p) {
    if (static_cast<int>(out.size()) >= options.count || !known.insert(p).second) return;
    const Sketch& s = sketches[p.sketch];
    out.push_back({.trial = trial++, .sketch = s.name, .decisions = s.space.decisions(p.values), .steps = steps_of(sketches, p).or_throw()});
  };
  for (const PlannedSketch& p : planned) add(*point_of(sketches, p.sketch.name, p.chosen));
  for (const Point& p : proposer.propose(trial, options.count - static_cast<int>(out.size())).points) add(p);
  return out;
}

std::vector<Trial> trials_of(const Task& task, const tuning_logs::LogContents& log) {
  const std::string hash = tuning_logs::hash_text(task.dag.hash());
  std::vector<Trial> out;
  for (const tuning_logs::Record& r : log.records) {
    if (r.kind == tuning_logs::RecordKind::kTrial && r.task.hash == hash && r.target == task.target.text()) out.push_back(to_trial(r));
  }
  return out;
}

void build_candidates(const Task& task, const std::vector<Candidate>& candidates, int jobs,
                      const std::function<void(tuning_logs::PackedCandidate)>& done, const std::function<bool()>& stop) {
  std::atomic<std::size_t> next{0};
  std::mutex order;
  std::map<std::size_t, tuning_logs::PackedCandidate> ready;  // built out of turn
  std::size_t handed_out = 0;
  std::exception_ptr failure;
  const auto work = [&] {
    for (std::size_t i = next++; i < candidates.size() && !stop(); i = next++) {
      try {
        tuning_logs::PackedCandidate built = build(task, candidates[i]);
        const std::lock_guard lock(order);
        ready.emplace(i, std::move(built));
        for (auto it = ready.find(handed_out); it != ready.end() && !failure; it = ready.find(++handed_out)) {
          done(std::move(it->second));
          ready.erase(it);
        }
      } catch (...) {
        const std::lock_guard lock(order);
        if (!failure) failure = std::current_exception();
        next = candidates.size();
      }
    }
  };
  std::vector<std::thread> others;
  for (int j = 1; j < jobs; ++j) others.emplace_back(work);
  work();
  for (std::thread& t : others) t.join();
  if (failure) std::rethrow_exception(failure);
}

Result<Task> task_of(const tuning_logs::PackHeader& header) {
  Task out;
  tuning_logs::Record r;
  r.task = header.task;
  TESSERA_TRY(dag, tuning_logs::dag(r));
  TESSERA_TRY(target, target_of_text(header.target));
  out.dag = std::move(dag);
  out.target = target;
  out.op = header.task.name;
  out.request = header.task.request;
  return out;
}

}  // namespace tessera::search
