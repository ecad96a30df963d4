#include "cost_model/model.h"

#include <algorithm>
#include <cmath>

#include "cost_model/detail/base_score.h"
#include "support/rng.h"

namespace tessera::cost_model {

namespace {

using detail::Estimates;

constexpr std::size_t kPrior = 0, kDraft = 1;      // in Estimates
constexpr std::size_t kFewestForTrees = 4;
constexpr double kCaution = 8;                     // measured points at which trees count half
constexpr double kLeastWeight = 0.1;               // of a slow program

// Running pair accuracy: the same as cost_model::pair_accuracy over all points taken in.
struct PairCount {
  double right = 0, pairs = 0;

  void compare(double score_a, double ns_a, double score_b, double ns_b) {
    if (ns_a == ns_b) return;
    ++pairs;
    right += score_a == score_b ? 0.5 : (score_a > score_b) == (ns_a < ns_b) ? 1 : 0;
  }
  double accuracy() const { return pairs == 0 ? 0.5 : right / pairs; }
};

}  // namespace

struct CostModel::Impl {
  std::shared_ptr<const Prior> prior;
  ModelOptions options;
  PackedRows rows{feature_count()};
  std::vector<Estimates> estimates;
  std::vector<double> ns;
  Feasibility feasibility;
  detail::BaseScore base;
  std::vector<Booster> boosters;
  double tree_share = 0;
  PairCount pairs_prior, pairs_draft, pairs_model;
  std::vector<std::pair<double, double>> since_refit;  // score and time of what was added since

  Impl(std::shared_ptr<const Prior> p, ModelOptions o) : prior(std::move(p)), options(o), feasibility(o.seed) {
    if (!options.use_prior) prior = nullptr;
    base.slope = usual();
  }

  bool accurate_draft() const {
    if (ns.empty()) return true;
    return pairs_draft.accuracy() >= (ns.size() < 16 ? 0.70 : 0.80);
  }

  Estimates usual() const { return {prior ? 1.0 : 0.0, options.use_draft && !prior ? 1.0 : 0.0}; }

  std::vector<Estimates> estimate(std::span<const Features> programs) const {
    std::vector<Estimates> out(programs.size());
    const DraftCoefficients& c = prior ? prior->draft() : options.draft;
    for (std::size_t i = 0; i < programs.size(); ++i) out[i][kDraft] = -std::log(draft_ns(programs[i].terms, c));
    if (prior) {
      const std::vector<double> scores = *prior->score(programs);
      for (std::size_t i = 0; i < programs.size(); ++i) out[i][kPrior] = scores[i];
    }
    return out;
  }

  void refit_base(std::span<const double> weights) {
    std::vector<double> minus_log(ns.size());
    for (std::size_t i = 0; i < ns.size(); ++i) minus_log[i] = -std::log(ns[i]);
    const Estimates trusts{prior ? detail::trust(pairs_prior.accuracy(), ns.size()) : 0,
                           options.use_draft && accurate_draft() ? detail::trust(pairs_draft.accuracy(), ns.size()) : 0};
    base = detail::fit_base(estimates, minus_log, weights, usual(), trusts);
  }

  void refit_trees(const std::vector<double>& labels, const std::vector<double>& weights) {
    boosters.clear();
    if (!options.use_model || ns.size() < kFewestForTrees) return;
    std::vector<double> margin(ns.size());
    for (std::size_t i = 0; i < ns.size(); ++i) margin[i] = base(estimates[i]);
    const TrainingRows training = *TrainingRows::make(rows);
    const SquaredError objective(labels, weights);
    for (int b = 0; b < options.boosters; ++b) {
      BoosterOptions o = options.booster;
      o.seed = Rng(options.seed, {static_cast<std::uint64_t>(b)}).next();
      boosters.push_back(*Booster::train(training, objective, margin, o));
    }
    const double n = static_cast<double>(ns.size());
    tree_share = n / (n + kCaution);
  }
};

CostModel::CostModel(std::shared_ptr<const Prior> prior, ModelOptions options)
    : impl_(std::make_unique<Impl>(std::move(prior), options)) {}
CostModel::~CostModel() = default;
CostModel::CostModel(CostModel&&) noexcept = default;

void CostModel::add(const Features& program, std::optional<double> ns) {
  Impl& m = *impl_;
  m.feasibility.add(program, !ns);
  if (!ns) return;
  const Estimates e = m.estimate({&program, 1})[0];
  for (std::size_t i = 0; i < m.ns.size(); ++i) {
    m.pairs_prior.compare(m.estimates[i][kPrior], m.ns[i], e[kPrior], *ns);
    m.pairs_draft.compare(m.estimates[i][kDraft], m.ns[i], e[kDraft], *ns);
  }
  if (m.base.fitted) {
    Score s;
    score({&program, 1}, {&s, 1});
    for (const auto& [score, time] : m.since_refit) m.pairs_model.compare(score, time, s.mean, *ns);
    m.since_refit.emplace_back(s.mean, *ns);
  }
  m.rows.add(program.values);
  m.estimates.push_back(e);
  m.ns.push_back(*ns);
}

void CostModel::refit() {
  Impl& m = *impl_;
  m.since_refit.clear();
  (void)*m.feasibility.refit();  // a refusal here is our bug, and thrown as one
  if (m.ns.empty()) return;
  const double best = *std::min_element(m.ns.begin(), m.ns.end());
  std::vector<double> labels, weights;
  for (const double ns : m.ns) {
    labels.push_back(best / ns);
    weights.push_back(std::max(kLeastWeight, best / ns));
  }
  m.refit_base(weights);
  m.refit_trees(labels, weights);
}

void CostModel::score(std::span<const Features> programs, std::span<Score> out) const {
  const Impl& m = *impl_;
  const std::vector<Estimates> estimates = m.estimate(programs);
  const std::vector<double> failure = *m.feasibility.predict(programs);
  std::vector<double> sum(programs.size()), squares(programs.size());
  if (!m.boosters.empty()) {
    PackedRows rows(feature_count());
    for (const Features& f : programs) rows.add(f.values);
    for (const Booster& b : m.boosters) {
      const std::vector<double> scores = *b.predict(rows);
      for (std::size_t i = 0; i < scores.size(); ++i) {
        sum[i] += scores[i];
        squares[i] += scores[i] * scores[i];
      }
    }
  }
  const double count = std::max<double>(1, static_cast<double>(m.boosters.size()));
  const bool informed = m.base.fitted || m.base.slope != Estimates{};
  for (std::size_t i = 0; i < programs.size(); ++i) {
    const double trees = sum[i] / count;
    const double mean = (informed ? m.base(estimates[i]) : 0) + m.tree_share * trees;
    const double runs = 1 - failure[i];
    out[i].mean = mean > 0 ? mean * runs : mean - failure[i];
    out[i].spread = runs * std::sqrt(std::max(0.0, squares[i] / count - trees * trees));
  }
}

std::size_t CostModel::measured() const { return impl_->ns.size(); }
double CostModel::draft_accuracy() const { return impl_->pairs_draft.accuracy(); }
double CostModel::prior_accuracy() const { return impl_->pairs_prior.accuracy(); }
double CostModel::model_accuracy() const { return impl_->pairs_model.accuracy(); }
bool CostModel::draft_in_use() const { return impl_->options.use_draft && impl_->accurate_draft(); }

}  // namespace tessera::cost_model
