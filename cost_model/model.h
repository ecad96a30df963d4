// The cost model of one task, as the search uses it: it starts from a prior and the draft, and learns
// from what is measured.
//
//   score = exp(b + a_prior * prior + a_draft * draft) + ensemble,  times the chance that it runs
//
// estimates best time / time. The exponent is fitted on the measured points by least squares on log time,
// held near (1, 0), or (0, 1) without a prior, by a few pseudo-points; either part shrinks to nothing
// when its order of the measured points is no better than chance. Five boosters on different samples of
// rows learn what is left: their mean corrects it, their standard deviation is the spread.
#pragma once

#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "cost_model/feasibility.h"
#include "cost_model/features.h"
#include "cost_model/prior.h"

namespace tessera::cost_model {

/// Higher is better. Scores of one task between two refits can be compared.
struct Score {
  double mean = 0;
  double spread = 0;
};

struct ModelOptions {
  bool use_draft = true, use_prior = true, use_model = true;
  int boosters = 5;
  BoosterOptions booster{.trees = 60, .depth = 5, .learning_rate = 0.15, .min_child_weight = 0.5, .program_sample = 0.7, .column_sample = 0.5};
  std::uint64_t seed = 1;
  DraftCoefficients draft = default_draft();  // where no prior brings its own
};

class CostModel {
 public:
  /// `prior` may be null.
  CostModel(std::shared_ptr<const Prior> prior, ModelOptions options);
  ~CostModel();
  CostModel(CostModel&&) noexcept;

  /// A measured program: its time in nanoseconds, nullopt when it failed.
  void add(const Features& program, std::optional<double> ns);
  /// Refits from everything added so far: equal additions and refits, equal model, bit for bit.
  void refit();
  /// One score for each program. Several threads may ask at once.
  void score(std::span<const Features> programs, std::span<Score> out) const;

  /// Programs added with a time.
  std::size_t measured() const;
  /// Pair accuracy on the measured programs; 0.5 while there is no pair. That of the model is out of
  /// sample: programs are scored when they are added, and only those scored by one refit are compared.
  double draft_accuracy() const;
  double prior_accuracy() const;
  double model_accuracy() const;
  /// Whether the draft may choose candidates: its accuracy is at least 0.80, or 0.70 while fewer than
  /// 16 programs are measured; yes before the first. Otherwise it is only a feature.
  bool draft_in_use() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace tessera::cost_model
