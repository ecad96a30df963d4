#include "cost_model/detail/parts.h"

#include <algorithm>
#include <cmath>

namespace tessera::cost_model::detail {

namespace {

constexpr double kLeastShare = 1e-3;
constexpr float kLargestFactor = 4;  // as a logarithm

}  // namespace

Corrected corrected(const PackedRows& data, std::span<const double> parts, std::span<const float> factors) {
  Corrected out{std::vector<double>(data.programs()), std::vector<double>(data.rows())};
  for (std::size_t p = 0; p < data.programs(); ++p) {
    const auto [first, end] = data.rows_of(p);
    double whole = 0, time = 0;
    for (std::size_t r = first; r < end; ++r) whole += parts[r];
    if (!(whole > 0)) whole = 1;
    for (std::size_t r = first; r < end; ++r) {
      out.shares[r] = std::max(parts[r], kLeastShare * whole) * std::exp(std::clamp(factors[r], -kLargestFactor, kLargestFactor));
      time += out.shares[r];
    }
    for (std::size_t r = first; r < end; ++r) out.shares[r] /= time;
    out.scores[p] = -std::log(time);
  }
  return out;
}

}  // namespace tessera::cost_model::detail
