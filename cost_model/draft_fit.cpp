#include <algorithm>
#include <cmath>
#include <vector>

#include "cost_model/draft.h"

namespace tessera::cost_model {

namespace {

using Matrix = std::array<std::array<double, kDraftTerms>, kDraftTerms>;

// Non-negative least squares from its normal equations, one coordinate after the other: for so few
// unknowns this converges in a few hundred sweeps (Franc, Hlavac, Navara 2005).
void solve_non_negative(const Matrix& a, const DraftCoefficients& b, DraftCoefficients& x) {
  for (int sweep = 0; sweep < 2000; ++sweep) {
    double moved = 0;
    for (std::size_t i = 0; i < kDraftTerms; ++i) {
      if (a[i][i] <= 0) continue;
      double residual = b[i];
      for (std::size_t j = 0; j < kDraftTerms; ++j) residual -= a[i][j] * x[j];
      const double next = std::max(0.0, x[i] + residual / a[i][i]);
      moved = std::max(moved, std::abs(next - x[i]) * std::sqrt(a[i][i]));
      x[i] = next;
    }
    if (moved < 1e-12) return;
  }
}

// log(time / prediction) of each point, less the mean of its task.
std::vector<double> residuals(std::span<const DraftPoint> points, const DraftCoefficients& c) {
  std::vector<double> out, sums, weights;
  for (const DraftPoint& p : points) {
    out.push_back(std::log(p.ns / draft_ns(p.terms, c)));
    if (p.task < 0) continue;
    const auto t = static_cast<std::size_t>(p.task);
    if (t >= sums.size()) sums.resize(t + 1), weights.resize(t + 1);
    sums[t] += p.weight * out.back();
    weights[t] += p.weight;
  }
  for (std::size_t i = 0; i < points.size(); ++i) {
    if (points[i].task < 0) continue;
    const auto t = static_cast<std::size_t>(points[i].task);
    if (weights[t] > 0) out[i] -= sums[t] / weights[t];
  }
  return out;
}

double loss(std::span<const DraftPoint> points, const DraftCoefficients& c) {
  const std::vector<double> e = residuals(points, c);
  double sum = 0;
  for (std::size_t i = 0; i < points.size(); ++i) sum += points[i].weight * e[i] * e[i];
  return sum;
}

// One Gauss-Newton step on log time: with rows x / prediction, the target is 1 + the residual.
DraftCoefficients step(std::span<const DraftPoint> points, const DraftCoefficients& c) {
  Matrix a{};
  DraftCoefficients b{};
  const std::vector<double> e = residuals(points, c);
  for (std::size_t n = 0; n < points.size(); ++n) {
    const DraftPoint& p = points[n];
    const double predicted = draft_ns(p.terms, c);
    const double target = 1 + std::clamp(e[n], -1.0, 1.0);
    for (std::size_t i = 0; i < kDraftTerms; ++i) {
      const double xi = p.weight * p.terms[i] / predicted;
      b[i] += xi * target;
      for (std::size_t j = 0; j < kDraftTerms; ++j) a[i][j] += xi * p.terms[j] / predicted;
    }
  }
  DraftCoefficients next = c;
  solve_non_negative(a, b, next);
  return next;
}

}  // namespace

Result<DraftCoefficients> fit_draft(std::span<const DraftPoint> points, const DraftCoefficients& start) {
  double weight = 0;
  for (const DraftPoint& p : points) weight += p.weight;
  if (!(weight > 0)) return refuse("the draft needs at least one measured program to be fitted to");
  DraftCoefficients c = start;
  double best = loss(points, c);
  for (int i = 0; i < 50; ++i) {
    const DraftCoefficients full = step(points, c);
    DraftCoefficients next{};
    double after = best, length = 1;
    for (; length > 1e-3; length /= 2) {  // half as far while it does not help
      for (std::size_t k = 0; k < kDraftTerms; ++k) next[k] = c[k] + length * (full[k] - c[k]);
      after = loss(points, next);
      if (after < best) break;
    }
    if (!(after < best)) break;
    const bool small = best - after < 1e-9 * best;
    c = next;
    best = after;
    if (small) break;
  }
  return c;
}

}  // namespace tessera::cost_model
