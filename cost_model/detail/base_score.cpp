#include "cost_model/detail/base_score.h"

#include <algorithm>
#include <cmath>

namespace tessera::cost_model::detail {

namespace {

constexpr double kPseudoPoints = 8, kGoodFaith = 0.8;

double dot(const Estimates& a, const Estimates& b) { return a[0] * b[0] + a[1] * b[1]; }

}  // namespace

double BaseScore::operator()(const Estimates& e) const {
  const double z = dot(slope, e) + intercept;
  if (!fitted) return std::exp(z);
  return z <= 0 ? std::exp(z) : 1 + z / (1 + z);
}

double trust(double accuracy, std::size_t points) {
  const double n = static_cast<double>(points);
  const double believed = (accuracy * n + kGoodFaith * kPseudoPoints) / (n + kPseudoPoints);
  return std::clamp((believed - 0.5) / 0.2, 0.0, 1.0);
}

BaseScore fit_base(std::span<const Estimates> estimates, std::span<const double> minus_log_ns, std::span<const double> weights,
                   const Estimates& usual, const Estimates& trusts) {
  const std::size_t n = estimates.size();
  double total = 0, mean_y = 0, best = -INFINITY;
  Estimates mean{};
  for (std::size_t i = 0; i < n; ++i) {
    total += weights[i];
    mean_y += weights[i] * minus_log_ns[i];
    for (std::size_t k = 0; k < 2; ++k) mean[k] += weights[i] * estimates[i][k];
    best = std::max(best, minus_log_ns[i]);
  }
  mean_y /= total;
  for (double& m : mean) m /= total;
  double s[2][2] = {}, p[2] = {};  // (co)variances, products with y
  for (std::size_t i = 0; i < n; ++i) {
    for (std::size_t k = 0; k < 2; ++k) {
      const double d = estimates[i][k] - mean[k];
      p[k] += weights[i] / total * d * (minus_log_ns[i] - mean_y);
      for (std::size_t j = 0; j < 2; ++j) s[k][j] += weights[i] / total * d * (estimates[i][j] - mean[j]);
    }
  }
  const double held = kPseudoPoints / static_cast<double>(n);
  BaseScore out;
  out.slope = usual;
  // Coordinate descent of the two unknowns.
  for (int sweep = 0; sweep < 100; ++sweep) {
    for (std::size_t k = 0; k < 2; ++k) {
      const double pull = held * s[k][k] + 1e-9;
      out.slope[k] = std::max(0.0, (p[k] - s[k][1 - k] * out.slope[1 - k] + pull * usual[k]) / (s[k][k] + pull));
    }
  }
  for (std::size_t k = 0; k < 2; ++k) out.slope[k] *= trusts[k];
  out.intercept = mean_y - dot(out.slope, mean) - best;
  out.fitted = true;
  return out;
}

}  // namespace tessera::cost_model::detail
