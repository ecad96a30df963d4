#include "search/search.h"

#include <algorithm>
#include <chrono>
#include <future>

#include "driver/compile.h"
#include "runtime/cpu/cpu_info.h"

namespace tessera::search {

namespace {

double now_seconds() { return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count(); }

constexpr const char* kDefaultPlan = "default";
constexpr double kSmallGain = 0.005;

ProposerOptions proposer_options(const SearchOptions& o) {
  return {.seed = o.seed, .batch_size = o.batch_size, .jobs = o.jobs, .use_draft = o.use_draft, .use_prior = o.use_prior,
          .use_model = o.use_model, .use_evolution = o.use_evolution, .prior = o.prior, .machine = o.machine};
}

/// A person's plans, then those of the path.
std::vector<PlannedSketch> all_planned(const Task& task, const SearchOptions& options) {
  std::vector<PlannedSketch> out = options.planned;
  for (PlannedSketch& p : planned_sketches(task, options.path)) out.push_back(std::move(p));
  return out;
}

}  // namespace

Search::Search(const Task& task, SearchOptions options) : Search(task, all_planned(task, options), options) {}

Search::Search(const Task& task, const std::vector<PlannedSketch>& planned, SearchOptions options)
    : Search(task, sketches_of(task, options.path, planned, options.rules), options) {
  for (const PlannedSketch& p : planned) suggest(p.sketch.name, p.chosen);
}

Search::Search(const Task& task, std::vector<Sketch> sketches, SearchOptions options)
    : task_(task), options_(std::move(options)), sketches_(std::move(sketches)), proposer_(task_, sketches_, proposer_options(options_)) {}

void Search::remember(const Trial& t) { known_[{t.candidate.batch, t.candidate.slot}] = t; }

void Search::suggest(const std::string& sketch, const Decisions& decisions) {
  const Mutator mutator(sketches_);
  for (std::size_t s = 0; s < sketches_.size(); ++s) {
    if (sketches_[s].name != sketch) continue;
    Rng rng(options_.seed, {task_.hash(), s});
    if (const auto p = mutator.project(s, decisions, rng)) proposer_.seed(*p);
  }
}

void Search::complete(int batch, std::vector<Trial> trials) {
  const std::lock_guard lock(completed_mutex_);
  completed_[batch] = std::move(trials);
}

/// Batches up to `batch`, in order.
void Search::learn_until(int batch) {
  for (; learned_batches_ <= batch; ++learned_batches_) {
    std::vector<Trial> trials;
    {
      const std::lock_guard lock(completed_mutex_);
      trials = std::move(completed_[learned_batches_]);
      completed_.erase(learned_batches_);
    }
    for (const Trial& t : trials) proposer_.learn(t, point_of(sketches_, t.candidate.sketch, t.candidate.decisions));
  }
}

std::vector<Candidate> Search::propose(int batch) {
  learn_until(batch - 2);
  std::vector<Candidate> out;
  if (asked_ >= options_.trials) return out;
  int room = options_.batch_size;
  const auto add = [&](Candidate c) {
    c.batch = batch;
    c.slot = static_cast<int>(out.size());
    c.trial = asked_++;
    // What was measured before stands, also where this version would propose something else.
    if (const auto it = known_.find({c.batch, c.slot}); it != known_.end()) {
      const int trial = c.trial;
      c = it->second.candidate;
      c.trial = trial;
    }
    out.push_back(std::move(c));
  };
  if (batch == 0 && options_.default_first) {
    Candidate c;
    c.sketch = kDefaultPlan;
    c.steps = driver::default_plan(task_.dag, task_.target);
    add(std::move(c));
    --room;
  }
  Proposal proposal = proposer_.propose(batch, room);
  expected_gain_ = proposal.expected_gain;
  for (const Point& p : proposal.points) {
    Candidate c;
    c.sketch = sketches_[p.sketch].name;
    c.decisions = sketches_[p.sketch].space.decisions(p.values);
    auto steps = steps_of(sketches_, p);
    if (!steps.ok() || !driver::scheduled(task_.dag, *steps).ok()) {
      ++rejected_;
      continue;
    }
    c.steps = std::move(*steps);
    // Whole batches are proposed, so that a run that is resumed with more trials goes on as one that was
    // never cut.
    if (asked_ < options_.trials) add(std::move(c));
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

const polyhedral::Verdict& Search::proof_of(const Trial& t) {
  const auto known = proofs_.find(t.candidate.trial);
  if (known != proofs_.end()) return known->second;
  auto v = options_.verifier ? options_.verifier(task_.dag, t.candidate.steps, task_.target) : driver::verify(task_.dag, t.candidate.steps, task_.target);
  if (!v.ok()) v = polyhedral::Verdict{{}, {{"plan", v.reason()}}};
  return proofs_.emplace(t.candidate.trial, std::move(*v)).first->second;
}

Trial Search::judged(Trial t) {
  using driver::VerifyWhen;
  const bool leads = t.ok() && (progress_.best_ns == 0 || t.measurement.min_ns() < progress_.best_ns);
  if (!t.ok() || options_.verify == VerifyWhen::kNever || (options_.verify == VerifyWhen::kBest && !leads)) return t;
  const polyhedral::Verdict& v = proof_of(t);
  if (v.illegal()) t.measurement = runtime::failed_measurement(runtime::MeasureStatus::kIllegal, "verify", v.violations[0].what);
  return t;
}

void Search::measure_batch(const std::vector<Candidate>& batch, Measurer& measurer, const SearchHooks& hooks) {
  std::vector<Candidate> open;
  std::map<int, Trial> by_slot;
  for (const Candidate& c : batch) {
    if (const auto it = known_.find({c.batch, c.slot}); it != known_.end()) {
      const Trial t = judged(it->second);
      note(t);
      by_slot[c.slot] = t;
    } else {
      open.push_back(c);
    }
  }
  const auto done = [&](const Trial& measured) {
    const Trial t = judged(measured);
    by_slot[t.candidate.slot] = t;
    note(t);
    if (hooks.trial) hooks.trial(t);
    progress_.wall_seconds = wall_before_step_ + now_seconds();
    if (hooks.progress) hooks.progress(progress_);
  };
  if (!open.empty()) {
    for (Trial& t : measurer.measure(open, progress_.best_ns, done, hooks.stop)) by_slot.try_emplace(t.candidate.slot, std::move(t));
  }
  std::vector<Trial> trials;
  for (auto& [slot, t] : by_slot) trials.push_back(std::move(t));
  complete(batch.front().batch, std::move(trials));
}

std::optional<Trial> Search::final_comparison(Measurer& measurer, const SearchHooks& hooks, bool stopped) {
  std::stable_sort(ok_.begin(), ok_.end(), [](const Trial& a, const Trial& b) { return a.measurement.min_ns() < b.measurement.min_ns(); });
  if (options_.verify != driver::VerifyWhen::kNever) {
    // What was never the best was not asked of; any finalist may be.
    std::size_t legal = 0;
    while (legal < ok_.size() && legal < static_cast<std::size_t>(options_.finalists)) {
      if (proof_of(ok_[legal]).illegal()) {
        ok_.erase(ok_.begin() + static_cast<std::ptrdiff_t>(legal));
      } else {
        ++legal;
      }
    }
  }
  const auto n = std::min<std::size_t>(ok_.size(), static_cast<std::size_t>(options_.finalists));
  const std::vector<Trial> finalists(ok_.begin(), ok_.begin() + static_cast<std::ptrdiff_t>(n));
  if (ok_.empty()) return std::nullopt;
  if (finalists.empty()) return ok_.front();
  // Who interrupts wants the prompt back: the best trial then stands as it was measured.
  if (stopped) return finalists.front();
  std::vector<Trial> again = measurer.remeasure(finalists);
  std::erase_if(again, [](const Trial& t) { return !t.ok(); });
  std::stable_sort(again.begin(), again.end(), [](const Trial& a, const Trial& b) { return a.measurement.median_ns() < b.measurement.median_ns(); });
  if (hooks.final_trial) {
    for (const Trial& t : again) hooks.final_trial(t);
  }
  return again.empty() ? finalists.front() : again.front();
}

bool Search::step(Measurer& measurer, const SearchHooks& hooks) {
  const double start = now_seconds();
  wall_before_step_ = progress_.wall_seconds - start;
  progress_.wanted = options_.trials;
  const auto waited = [&](const auto& action) {
    const double before = now_seconds();
    next_ = action();
    progress_.search_seconds += now_seconds() - before;
  };
  stopped_ = stopped_ || hooks.stop();
  if (batch_ == 0 && !stopped_) waited([&] { return propose(0); });
  if (stopped_ || settled_ || next_.empty()) return false;
  calm_ = expected_gain_ && *expected_gain_ < kSmallGain ? calm_ + 1 : 0;
  progress_.expected_gain = expected_gain_;
  settled_ = options_.patience > 0 && calm_ >= options_.patience;
  if (settled_) return false;
  const std::vector<Candidate> current = std::move(next_);
  ++batch_;
  // A kernel on all cores must not share them with the model.
  const bool beside = task_.threads < runtime::cpu_info().cores;
  std::future<std::vector<Candidate>> next = std::async(beside ? std::launch::async : std::launch::deferred, [&] { return propose(batch_); });
  if (!beside) next.wait();
  measure_batch(current, measurer, hooks);
  waited([&] { return next.get(); });
  stopped_ = hooks.stop();
  progress_.model_seconds = proposer_.model_seconds();
  progress_.wall_seconds = wall_before_step_ + now_seconds();
  return !stopped_ && !next_.empty();
}

SearchResult Search::finish(Measurer& measurer, const SearchHooks& hooks) {
  const double start = now_seconds();
  SearchResult result;
  result.stopped = stopped_;
  result.settled = settled_;
  result.planned = static_cast<int>(std::count_if(ok_.begin(), ok_.end(), [](const Trial& t) { return is_polyhedral(t.candidate.sketch); }));
  result.best = final_comparison(measurer, hooks, stopped_);
  if (result.best && options_.verify != driver::VerifyWhen::kNever) result.proof = proof_of(*result.best);
  progress_.wall_seconds += now_seconds() - start;
  result.progress = progress_;
  result.rejected = rejected();
  return result;
}

SearchResult Search::run(Measurer& measurer, const SearchHooks& hooks) {
  while (step(measurer, hooks)) {
  }
  return finish(measurer, hooks);
}

}  // namespace tessera::search
