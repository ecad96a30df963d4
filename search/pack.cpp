#include "search/pack.h"

#include <atomic>
#include <chrono>
#include <map>
#include <mutex>
#include <numeric>
#include <optional>
#include <set>
#include <thread>

#include "driver/builder.h"
#include "search/mutation.h"

namespace tessera::search {

namespace {

constexpr const char* kDefaultPlan = "default";
constexpr int kMostRepeats = 100;  // draws in a row without a new point: the sketch is used up

/// A point that is not in `seen`, which takes it in; nullopt where there seems to be none left.
std::optional<Point> new_point(const Mutator& mutator, std::size_t sketch, std::set<Point>& seen, Rng& rng) {
  for (int i = 0; i < kMostRepeats; ++i) {
    auto p = mutator.fresh(sketch, rng);
    if (p && seen.insert(*p).second) return p;
  }
  return std::nullopt;
}

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

std::vector<Candidate> spread_candidates(const Task& task, int count, std::uint64_t seed) {
  const std::vector<Sketch> sketches = generate_sketches(task);
  const Mutator mutator(sketches);
  Rng rng(seed, {task.hash()});
  std::vector<Candidate> out;
  if (count > 0) out.push_back({.sketch = kDefaultPlan, .decisions = {}, .steps = driver::default_plan(task.dag, task.target)});
  std::set<Point> seen;
  std::vector<std::size_t> open(sketches.size());
  std::iota(open.begin(), open.end(), 0);
  for (std::size_t turn = 0; !open.empty() && static_cast<int>(out.size()) < count; ++turn) {
    const std::size_t at = turn % open.size(), sketch = open[at];
    const auto p = new_point(mutator, sketch, seen, rng);
    if (!p) {
      open.erase(open.begin() + static_cast<std::ptrdiff_t>(at));
      continue;
    }
    const Sketch& s = sketches[sketch];
    out.push_back({.trial = static_cast<int>(out.size()), .sketch = s.name, .decisions = s.space.decisions(p->values), .steps = steps_of(sketches, *p).or_throw()});
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
