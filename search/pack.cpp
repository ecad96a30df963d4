#include "search/pack.h"

#include <chrono>
#include <map>
#include <mutex>
#include <optional>
#include <set>

#include "driver/builder.h"
#include "search/mutation.h"
#include "search/proposer.h"
#include "search/session.h"
#include "support/on_threads.h"

namespace tessera::search {

namespace {

constexpr const char* kDefaultPlan = "default";
// A pack goes to a machine elsewhere and comes back once, so a wrong draft costs a round trip: a quarter of
// the first pack is left to chance. Later packs trust what was measured.
constexpr double kRandomShare = 0.25;
// Spaces of tiles have millions of points and nothing but the draft knows them yet: points are bred under it.
constexpr int kPopulation = 1024, kGenerations = 6;

void compile(const Task& task, tuning_logs::PackedCandidate& out) {
  const auto start = std::chrono::steady_clock::now();
  auto image = driver::compile(task.dag, out.plan, task.target);
  if (image.ok()) {
    out.image = std::move(*image);
  } else {
    out.status = driver::status_of_refusal(image.reason());
    out.message = image.reason();
  }
  out.compile_ms = std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - start).count();
}

tuning_logs::PackedCandidate build(const Task& task, const Candidate& c, const Verifier& verifier, bool prove) {
  tuning_logs::PackedCandidate out;
  out.trial = c.trial;
  out.sketch = c.sketch;
  out.decisions = c.decisions;
  out.plan = c.steps;
  try {
    const polyhedral::Verdict verdict = prove ? verdict_of(task, out.plan, verifier) : polyhedral::Verdict{};
    if (verdict.illegal()) {
      out.status = runtime::MeasureStatus::kIllegal;
      out.message = verdict.violations[0].what;
    } else {
      compile(task, out);
    }
  } catch (const InternalError& e) {  // one candidate must not take the others with it
    out.status = runtime::MeasureStatus::kCompileCrash;
    out.message = e.what();
  }
  return out;
}

}  // namespace

std::vector<Candidate> pack_candidates(const Task& task, const PackOptions& options, const std::vector<Trial>& measured) {
  const std::vector<PlannedSketch> planned = planned_sketches(task, options.path, options.planned);
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
  const Mutator mutator(sketches);
  for (std::size_t s = sketches.size() - planned.size(); s < sketches.size(); ++s) {
    Rng rng(options.seed, {task.hash(), s});
    // As it was planned; a number of a person's that the sketch leaves out gives way to the nearest.
    if (const auto p = mutator.project(s, planned[s + planned.size() - sketches.size()].chosen, rng)) add(*p);
  }
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

void build_candidates(const Task& task, const std::vector<Candidate>& candidates, const BuildOptions& options,
                      const std::function<void(tuning_logs::PackedCandidate)>& done, const std::function<bool()>& stop) {
  std::mutex order;
  std::map<std::size_t, tuning_logs::PackedCandidate> ready;  // built out of turn
  std::size_t handed_out = 0;
  const std::size_t proved = proved_first(options.verify, candidates.size());
  on_threads(candidates.size(), options.jobs, stop, [&](std::size_t i) {
    tuning_logs::PackedCandidate built = build(task, candidates[i], options.verifier, i < proved);
    const std::lock_guard lock(order);
    ready.emplace(i, std::move(built));
    for (auto next = ready.extract(handed_out); !next.empty(); next = ready.extract(handed_out)) {
      done(std::move(next.mapped()));
      ++handed_out;  // not when `done` throws: nothing is handed out behind what is missing
    }
  });
}

Result<Task> task_of(const tuning_logs::PackHeader& header) {
  Task out;
  tuning_logs::Record r;
  r.task = header.task;
  TESSERA_TRY(dag, tuning_logs::dag(r));
  TESSERA_TRY(target, target_of_text(header.target));
  if (target.kind != ir::TargetKind::kCuda) return refuse("its target is '", header.target, "'; packs are of CUDA targets");
  out.dag = std::move(dag);
  out.target = target;
  out.op = header.task.name;
  out.request = header.task.request;
  return out;
}

}  // namespace tessera::search
