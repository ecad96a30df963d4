// A program's time as the sum of its rows' parts, each corrected by a factor.
#pragma once

#include <span>
#include <vector>

#include "cost_model/booster.h"

namespace tessera::cost_model::detail {

struct Corrected {
  std::vector<double> scores;  // of each program, -log of its time
  std::vector<double> shares;  // of each row, of its program's time
};

/// `factors` are logarithms. A part of less than a thousandth of its program counts as that much, so that
/// what the estimate overlooks can be learned too; all parts count the same where they are all 0.
Corrected corrected(const PackedRows& data, std::span<const double> parts, std::span<const float> factors);

}  // namespace tessera::cost_model::detail
