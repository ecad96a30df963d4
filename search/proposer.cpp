#include "search/proposer.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <limits>

#include "search/polyhedral_path.h"

namespace tessera::search {

namespace {

using Clock = std::chrono::steady_clock;

/// Adds the time until it goes out of scope.
class Stopwatch {
 public:
  explicit Stopwatch(double& seconds) : seconds_(seconds), start_(Clock::now()) {}
  ~Stopwatch() { seconds_ += std::chrono::duration<double>(Clock::now() - start_).count(); }

 private:
  double& seconds_;
  Clock::time_point start_;
};

constexpr std::size_t kElites = 16;           // measured points that become parents
constexpr std::size_t kFewestMeasured = 8;    // for the learned model to have a say
constexpr double kFreshShare = 0.4, kCrossShare = 0.35;  // of a generation; the rest mutates
constexpr double kPlansBehind = 0.87;         // of the best speed, below which a planned sketch is given up
constexpr int kTries = 32;                    // to find a point that was not proposed yet

std::uint64_t program_hash(const cost_model::Features& f) {
  return hash_bytes({reinterpret_cast<const char*>(f.values.data()), f.values.size() * sizeof(float)});
}

bool is_lesson(const Trial& t) {
  using runtime::MeasureStatus;
  const MeasureStatus s = t.measurement.status;
  return s != MeasureStatus::kInternal && s != MeasureStatus::kFlaky && s != MeasureStatus::kImplausible;
}

/// Expected value of max(0, x - 1) for x normal: how much faster than the best so far.
double improvement(const cost_model::Score& s) {
  const double sigma = std::max(s.spread, 0.005), z = (s.mean - 1) / sigma;
  const double density = std::exp(-z * z / 2) / std::sqrt(2 * M_PI), below = std::erfc(-z / std::sqrt(2.0)) / 2;
  return sigma * (z * below + density);
}

}  // namespace

Proposer::Proposer(const Task& task, const std::vector<Sketch>& sketches, ProposerOptions options)
    : task_hash_(task.hash()),
      sketches_(&sketches),
      options_(std::move(options)),
      mutator_(sketches),
      features_(task, sketches, options_.machine.value_or(machine_of(task)), options_.jobs),
      model_(options_.prior, {.use_draft = options_.use_draft, .use_prior = options_.use_prior, .use_model = options_.use_model, .seed = options_.seed, .draft = cost_model::default_draft(features_.machine())}),
      best_of_sketch_(sketches.size(), 0) {}

Proposer::~Proposer() = default;

void Proposer::seed(const Point& p) { seeds_.push_back(p); }

void Proposer::learn(const Trial& t, const std::optional<Point>& p) {
  if (p) proposed_.insert(*p);
  if (!is_lesson(t)) return;
  const Stopwatch watch(model_seconds_);
  auto f = features_.of_steps(t.candidate.steps);
  if (!f.ok()) return;  // a plan of an older version that no longer replays
  programs_.insert(program_hash(*f));
  const double ns = t.ok() ? static_cast<double>(t.measurement.min_ns()) : 0;
  model_.add(*f, t.ok() ? std::optional(ns) : std::nullopt);
  ++learned_;
  if (!t.ok() || !p) return;
  double& best = best_of_sketch_[p->sketch];
  if (best == 0 || ns < best) best = ns;
  const auto at = std::upper_bound(elites_.begin(), elites_.end(), ns, [](double v, const Elite& e) { return v < e.ns; });
  elites_.insert(at, {*p, ns});
  if (elites_.size() > kElites) elites_.pop_back();
}

bool Proposer::guided() const {
  return (options_.use_model && model_.measured() >= kFewestMeasured) || (options_.use_prior && options_.prior != nullptr) ||
         (options_.use_draft && model_.draft_in_use());
}

/// Weight of the spread in the choice: from 1 down as more is known.
double Proposer::exploration() const { return 1 / (1 + static_cast<double>(model_.measured()) / 32); }

/// How often fresh points come from each sketch: by what its best point reached; optimistic for sketches
/// that were not tried, and never nothing.
std::vector<double> Proposer::sketch_weights() const {
  double best = std::numeric_limits<double>::infinity();
  for (const double ns : best_of_sketch_) best = ns > 0 ? std::min(best, ns) : best;
  std::vector<double> out;
  for (std::size_t s = 0; s < best_of_sketch_.size(); ++s) {
    const double ns = best_of_sketch_[s];
    out.push_back(is_beaten(s) ? 0 : 0.05 + (ns > 0 ? std::pow(best / ns, 4) : 1));
  }
  return out;
}

bool Proposer::is_beaten(std::size_t sketch) const {
  const double ns = best_of_sketch_[sketch];
  return ns > 0 && is_polyhedral((*sketches_)[sketch].name) && elites_.front().ns < kPlansBehind * ns;
}

std::optional<Point> Proposer::fresh(Rng& rng) const {
  const std::vector<double> weights = sketch_weights();
  double total = 0;
  for (const double w : weights) total += w;
  double u = rng.uniform() * total;
  std::size_t s = 0;
  while (s + 1 < weights.size() && u >= weights[s]) u -= weights[s++];
  return mutator_.fresh(s, rng);
}

std::vector<Point> Proposer::first_generation(Rng& rng) const {
  std::vector<Point> out;
  const int wanted = options_.use_evolution ? options_.population : options_.population * (options_.generations + 1);
  const int fresh_wanted = options_.use_evolution && !elites_.empty() ? static_cast<int>(kFreshShare * wanted) : wanted;
  // Before anything is known every sketch gets its share; later by what it has shown.
  for (int i = 0; i < fresh_wanted; ++i) {
    const auto p = elites_.empty() ? mutator_.fresh(static_cast<std::size_t>(i) % sketches_->size(), rng) : fresh(rng);
    if (p) out.push_back(*p);
  }
  if (!options_.use_evolution) return out;
  for (const Point& p : seeds_) out.push_back(p);
  if (elites_.empty()) return out;
  for (std::size_t i = 0; i < std::min<std::size_t>(2, elites_.size()); ++i) {
    for (Point& p : mutator_.neighbours(elites_[i].point)) out.push_back(std::move(p));
  }
  while (static_cast<int>(out.size()) < wanted) {
    // The better half of the parents is drawn three times as often.
    const auto rank = [&] { return static_cast<std::size_t>(static_cast<double>(elites_.size()) * std::pow(rng.uniform(), 1.6)); };
    const Point& a = elites_[rank()].point;
    const auto child = rng.chance(kCrossShare / (1 - kFreshShare)) ? mutator_.cross(a, elites_[rank()].point, rng) : mutator_.mutate(a, rng);
    const auto p = child ? child : fresh(rng);
    if (p) out.push_back(*p);
  }
  return out;
}

std::vector<Point> Proposer::offspring(const std::vector<Scored>& parents, Rng& rng) const {
  std::vector<Point> out;
  if (parents.empty()) return out;
  for (int i = 0; i < options_.population; ++i) {
    const auto rank = [&] { return static_cast<std::size_t>(static_cast<double>(parents.size()) * std::pow(rng.uniform(), 1.6)); };
    const Point& a = parents[rank()].point;
    const auto child = rng.chance(kCrossShare) ? mutator_.cross(a, parents[rank()].point, rng) : mutator_.mutate(a, rng);
    if (child) out.push_back(*child);
  }
  return out;
}

std::vector<Proposer::Scored> Proposer::scored(const std::vector<Point>& all) {
  std::vector<Point> points;
  std::set<Point> seen;
  for (const Point& p : all) {
    if (!is_beaten(p.sketch) && proposed_.count(p) == 0 && seen.insert(p).second) points.push_back(p);
  }
  std::vector<cost_model::Features> features = features_.of(points);
  std::vector<Scored> out;
  std::size_t kept = 0;
  for (std::size_t i = 0; i < points.size(); ++i) {
    if (features[i].values.empty()) {
      ++rejected_;
      continue;
    }
    out.push_back({points[i], {}, program_hash(features[i])});
    if (kept != i) features[kept] = std::move(features[i]);
    ++kept;
  }
  features.resize(kept);
  std::vector<cost_model::Score> scores(kept);
  model_.score(features, scores);
  for (std::size_t i = 0; i < kept; ++i) out[i].score = scores[i];
  return out;
}

void Proposer::merge(std::vector<Scored>& pool, std::vector<Scored> more) const {
  std::move(more.begin(), more.end(), std::back_inserter(pool));
  const double kappa = exploration();
  const auto value = [&](const Scored& s) { return s.score.mean + kappa * s.score.spread; };
  std::sort(pool.begin(), pool.end(), [&](const Scored& a, const Scored& b) {
    const double x = value(a), y = value(b);
    return x != y ? x > y : a.point < b.point;
  });
  // One point of each program, and enough of them to breed from and to choose a diverse batch.
  std::set<std::uint64_t> seen = programs_;
  std::erase_if(pool, [&](const Scored& s) { return !seen.insert(s.program).second; });
  pool.resize(std::min<std::size_t>(pool.size(), static_cast<std::size_t>(options_.population)));
}

void Proposer::take(Proposal& to, const Point& p) {
  if (proposed_.insert(p).second) to.points.push_back(p);
}

void Proposer::choose(Proposal& to, const std::vector<Scored>& pool, int count) {
  const std::size_t wanted = to.points.size() + static_cast<std::size_t>(std::max(count, 0));
  for (const std::size_t apart : {3, 2, 1}) {
    for (const Scored& s : pool) {
      if (to.points.size() >= wanted) return;
      const bool near = std::any_of(to.points.begin(), to.points.end(), [&](const Point& q) { return distance(s.point, q) < apart; });
      if (near || proposed_.count(s.point) != 0) continue;
      programs_.insert(s.program);
      take(to, s.point);
    }
  }
}

double Proposer::expected_gain(const std::vector<Scored>& pool, const Proposal& of) const {
  double best = 0;
  for (const Scored& s : pool) {
    if (std::find(of.points.begin(), of.points.end(), s.point) != of.points.end()) best = std::max(best, improvement(s.score));
  }
  return best;
}

Proposal Proposer::propose(int batch, int room) {
  Rng rng(options_.seed, {task_hash_, static_cast<std::uint64_t>(batch)});
  Proposal out;
  const int count = std::min(options_.batch_size, room);
  if (sketches_->empty() || count <= 0) return out;
  for (const Point& p : seeds_) {
    if (batch == 0 && static_cast<int>(out.points.size()) < count / 2) take(out, p);
  }
  if (guided()) {
    const Stopwatch watch(model_seconds_);
    // Often while there is little to learn from, then after every quarter more.
    if (learned_ > fitted_ + fitted_ / 4) {
      model_.refit();
      fitted_ = learned_;
    }
    std::vector<Scored> pool;
    merge(pool, scored(first_generation(rng)));
    for (int g = 0; options_.use_evolution && g < options_.generations; ++g) {
      const std::vector<Scored> parents(pool.begin(), pool.begin() + static_cast<std::ptrdiff_t>(std::min<std::size_t>(pool.size(), 48)));
      merge(pool, scored(offspring(parents, rng)));
    }
    // The draft alone is not trusted with a whole batch; a learned order leaves one place to chance.
    const bool learned = model_.measured() >= kFewestMeasured || (options_.use_prior && options_.prior != nullptr);
    const int random = learned ? 1 : static_cast<int>(options_.random_share * count);
    choose(out, pool, count - static_cast<int>(out.points.size()) - random);
    if (model_.measured() >= kFewestMeasured) out.expected_gain = expected_gain(pool, out);
  }
  // Points left: at random; then whatever a small space still holds.
  for (int i = 0; i < kTries * count && static_cast<int>(out.points.size()) < count; ++i) {
    const auto p = elites_.empty() ? mutator_.fresh(static_cast<std::size_t>(rng.below(static_cast<std::int64_t>(sketches_->size()))), rng) : fresh(rng);
    if (p) take(out, *p);
  }
  for (std::size_t s = 0; s < sketches_->size() && static_cast<int>(out.points.size()) < count; ++s) {
    const Space& space = (*sketches_)[s].space;
    for (const Values& v : space.points(proposed_.size() + static_cast<std::size_t>(count))) {
      if (static_cast<int>(out.points.size()) < count) take(out, {s, v});
    }
  }
  return out;
}

}  // namespace tessera::search
