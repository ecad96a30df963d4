// Which programs fail to build or run. Failures say nothing about speed, so they have a model of
// their own and never a made-up time.
#pragma once

#include <optional>
#include <vector>

#include "cost_model/booster.h"
#include "cost_model/features.h"

namespace tessera::cost_model {

class Feasibility {
 public:
  explicit Feasibility(std::uint64_t seed);
  void add(const Features& program, bool failed);
  /// Refits from everything added so far.
  Status refit();
  /// Probability of failure of each program; 0 while no failure was seen.
  Result<std::vector<double>> predict(std::span<const Features> programs) const;

 private:
  std::uint64_t seed_;
  PackedRows rows_;  // one a program: the sums of its columns
  std::vector<double> failed_;
  std::size_t failures_ = 0;
  double base_ = 0;  // log-odds of failure over all programs
  std::optional<Booster> booster_;
};

}  // namespace tessera::cost_model
