#include "cost_model/metrics.h"

#include <algorithm>
#include <numeric>
#include <vector>

namespace tessera::cost_model {

namespace {

/// Indices by ascending key; equal keys in order.
template <class Less>
std::vector<std::size_t> order_by(std::size_t n, Less less) {
  std::vector<std::size_t> out(n);
  std::iota(out.begin(), out.end(), std::size_t{0});
  std::stable_sort(out.begin(), out.end(), less);
  return out;
}

}  // namespace

double pair_accuracy(std::span<const double> scores, std::span<const double> ns) {
  double right = 0, pairs = 0;
  for (std::size_t i = 0; i < ns.size(); ++i) {
    for (std::size_t j = 0; j < i; ++j) {
      if (ns[i] == ns[j]) continue;
      ++pairs;
      right += scores[i] == scores[j] ? 0.5 : (scores[i] > scores[j]) == (ns[i] < ns[j]) ? 1 : 0;
    }
  }
  return pairs == 0 ? 0.5 : right / pairs;
}

double recall_at(std::size_t k, std::span<const double> scores, std::span<const double> ns) {
  k = std::min(k, ns.size());
  if (k == 0) return 1;
  const auto scored = order_by(ns.size(), [&](std::size_t a, std::size_t b) { return scores[a] > scores[b]; });
  const auto fast = order_by(ns.size(), [&](std::size_t a, std::size_t b) { return ns[a] < ns[b]; });
  std::vector<bool> chosen(ns.size());
  for (std::size_t i = 0; i < k; ++i) chosen[scored[i]] = true;
  std::size_t found = 0;
  for (std::size_t i = 0; i < k; ++i) found += chosen[fast[i]] ? 1 : 0;
  return static_cast<double>(found) / static_cast<double>(k);
}

double top_score(std::size_t k, std::span<const double> scores, std::span<const double> ns) {
  k = std::min(k, ns.size());
  if (k == 0) return 0;
  const auto scored = order_by(ns.size(), [&](std::size_t a, std::size_t b) { return scores[a] > scores[b]; });
  double best = ns[scored[0]];
  for (std::size_t i = 1; i < k; ++i) best = std::min(best, ns[scored[i]]);
  return *std::min_element(ns.begin(), ns.end()) / best;
}

double r_squared(std::span<const double> predicted, std::span<const double> truth) {
  const double mean = std::accumulate(truth.begin(), truth.end(), 0.0) / std::max<double>(1, static_cast<double>(truth.size()));
  double error = 0, variance = 0;
  for (std::size_t i = 0; i < truth.size(); ++i) {
    error += (truth[i] - predicted[i]) * (truth[i] - predicted[i]);
    variance += (truth[i] - mean) * (truth[i] - mean);
  }
  return variance == 0 ? 0 : 1 - error / variance;
}

}  // namespace tessera::cost_model
