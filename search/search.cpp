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

}  // namespace

Search::Search(const Task& task, SearchOptions options) : Search(task, planned_sketches(task, options.path, options.planned), options) {}

Search::Search(const Task& task, const std::vector<PlannedSketch>& planned, SearchOptions options)
    : Search(task, sketches_of(task, options.path, planned, options.rules), options) {
  for (const PlannedSketch& p : planned) suggest(p.sketch.name, p.chosen);
}

Search::Search(const Task& task, std::vector<Sketch> sketches, SearchOptions options)
    : task_(task), options_(std::move(options)), sketches_(std::move(sketches)), proposer_(task_, sketches_, proposer_options(options_)),
      contest_(task_, {.finalists = options_.finalists, .verify = options_.verify, .verifier = options_.verifier}) {}

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

void Search::measure_batch(const std::vector<Candidate>& batch, Measurer& measurer, const SearchHooks& hooks) {
  Progress& progress = contest_.progress();
  std::vector<Candidate> open;
  std::map<int, Trial> by_slot;
  for (const Candidate& c : batch) {
    if (const auto it = known_.find({c.batch, c.slot}); it != known_.end()) {
      by_slot[c.slot] = contest_.enter(it->second);
    } else {
      open.push_back(c);
    }
  }
  const auto done = [&](const Trial& measured) {
    const Trial t = contest_.enter(measured);
    by_slot[t.candidate.slot] = t;
    if (hooks.trial) hooks.trial(t);
    progress.wall_seconds = wall_before_step_ + now_seconds();
    if (hooks.progress) hooks.progress(progress);
  };
  if (!open.empty()) {
    for (Trial& t : measurer.measure(open, progress.best_ns, done, hooks.stop)) by_slot.try_emplace(t.candidate.slot, std::move(t));
  }
  std::vector<Trial> trials;
  for (auto& [slot, t] : by_slot) trials.push_back(std::move(t));
  complete(batch.front().batch, std::move(trials));
}

bool Search::step(Measurer& measurer, const SearchHooks& hooks) {
  Progress& progress = contest_.progress();
  const double start = now_seconds();
  wall_before_step_ = progress.wall_seconds - start;
  progress.wanted = options_.trials;
  const auto waited = [&](const auto& action) {
    const double before = now_seconds();
    next_ = action();
    progress.search_seconds += now_seconds() - before;
  };
  stopped_ = stopped_ || hooks.stop();
  if (batch_ == 0 && !stopped_) waited([&] { return propose(0); });
  if (stopped_ || settled_ || next_.empty()) return false;
  calm_ = expected_gain_ && *expected_gain_ < kSmallGain ? calm_ + 1 : 0;
  progress.expected_gain = expected_gain_;
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
  progress.model_seconds = proposer_.model_seconds();
  progress.wall_seconds = wall_before_step_ + now_seconds();
  return !stopped_ && !next_.empty();
}

SearchResult Search::finish(Measurer& measurer, const SearchHooks& hooks) {
  Progress& progress = contest_.progress();
  const double start = now_seconds();
  SearchResult result;
  result.stopped = stopped_;
  result.settled = settled_;
  result.planned = static_cast<int>(std::count_if(contest_.ok().begin(), contest_.ok().end(), [](const Trial& t) { return is_polyhedral(t.candidate.sketch); }));
  result.best = contest_.final_comparison(measurer, hooks.final_trial, stopped_);
  if (const polyhedral::Verdict* proof = result.best ? contest_.proof_of(*result.best) : nullptr) result.proof = *proof;
  progress.wall_seconds += now_seconds() - start;
  result.progress = progress;
  result.rejected = rejected();
  return result;
}

SearchResult Search::run(Measurer& measurer, const SearchHooks& hooks) {
  while (step(measurer, hooks)) {
  }
  return finish(measurer, hooks);
}

}  // namespace tessera::search
