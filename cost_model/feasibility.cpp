#include "cost_model/feasibility.h"

#include <cmath>

namespace tessera::cost_model {

namespace {

constexpr BoosterOptions kOptions{.trees = 30, .depth = 4, .learning_rate = 0.3, .l2 = 1, .min_child_weight = 0.2};

std::vector<float> column_sums(const Features& program) {
  std::vector<float> out(feature_count());
  for (std::size_t r = 0; r < program.rows(); ++r) {
    const auto row = program.row(r);
    for (std::size_t c = 0; c < out.size(); ++c) out[c] += row[c];
  }
  return out;
}

}  // namespace

Feasibility::Feasibility(std::uint64_t seed) : seed_(seed), rows_(feature_count()) {}

void Feasibility::add(const Features& program, bool failed) {
  rows_.add(column_sums(program));
  failed_.push_back(failed ? 1 : 0);
  failures_ += failed ? 1 : 0;
}

Status Feasibility::refit() {
  if (failures_ == 0) return Done{};
  // Starting from the share of failures, a program like none that was seen gets that share.
  const double n = static_cast<double>(failed_.size()), odds = (static_cast<double>(failures_) + 0.5) / (n - static_cast<double>(failures_) + 0.5);
  base_ = std::log(odds);
  BoosterOptions options = kOptions;
  options.seed = seed_;
  TESSERA_TRY(rows, TrainingRows::make(rows_));
  const std::vector<double> margin(failed_.size(), base_);
  TESSERA_TRY(booster, Booster::train(rows, Logistic(failed_, std::vector<double>(failed_.size(), 1)), margin, options));
  booster_ = std::move(booster);
  return Done{};
}

Result<std::vector<double>> Feasibility::predict(std::span<const Features> programs) const {
  if (!booster_) return std::vector<double>(programs.size());
  PackedRows rows(feature_count());
  for (const Features& p : programs) rows.add(column_sums(p));
  TESSERA_TRY(scores, booster_->predict(rows));
  for (double& s : scores) s = 1 / (1 + std::exp(-(s + base_)));
  return scores;
}

}  // namespace tessera::cost_model
