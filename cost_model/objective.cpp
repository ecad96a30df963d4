#include "cost_model/objective.h"

#include <algorithm>
#include <cmath>

namespace tessera::cost_model {

namespace {

double sigmoid(double x) { return x >= 0 ? 1 / (1 + std::exp(-x)) : std::exp(x) / (1 + std::exp(x)); }
double softplus(double x) { return std::max(x, 0.0) + std::log1p(std::exp(-std::abs(x))); }  // log(1 + exp(x))

}  // namespace

SquaredError::SquaredError(std::vector<double> labels, std::vector<double> weights)
    : labels_(std::move(labels)), weights_(std::move(weights)) {}

double SquaredError::loss(std::span<const double> scores) const {
  double sum = 0;
  for (std::size_t i = 0; i < scores.size(); ++i) sum += weights_[i] * (scores[i] - labels_[i]) * (scores[i] - labels_[i]) / 2;
  return sum;
}

void SquaredError::gradient(std::span<const double> scores, std::span<double> first, std::span<double> second) const {
  for (std::size_t i = 0; i < scores.size(); ++i) {
    first[i] = weights_[i] * (scores[i] - labels_[i]);
    second[i] = weights_[i];
  }
}

Logistic::Logistic(std::vector<double> labels, std::vector<double> weights) : labels_(std::move(labels)), weights_(std::move(weights)) {}

double Logistic::loss(std::span<const double> scores) const {
  double sum = 0;
  for (std::size_t i = 0; i < scores.size(); ++i) sum += weights_[i] * (softplus(scores[i]) - labels_[i] * scores[i]);
  return sum;
}

void Logistic::gradient(std::span<const double> scores, std::span<double> first, std::span<double> second) const {
  for (std::size_t i = 0; i < scores.size(); ++i) {
    const double p = sigmoid(scores[i]);
    first[i] = weights_[i] * (p - labels_[i]);
    second[i] = weights_[i] * p * (1 - p);
  }
}

PairwiseLogistic::PairwiseLogistic(std::vector<double> ns, std::vector<std::size_t> tasks, std::size_t partners) {
  for (std::size_t t = 0; t + 1 < tasks.size(); ++t) {
    const std::size_t begin = tasks[t], n = tasks[t + 1] - begin;
    if (n < 2) continue;
    // Distances around the circle of the task's programs; those up to n / 2 give every pair.
    const std::size_t half = n / 2, distances = std::min(half, std::max<std::size_t>(1, partners / 2));
    for (std::size_t d = 0; d < distances; ++d) {
      const std::size_t distance = 1 + d * half / distances;
      const std::size_t starts = 2 * distance == n ? n / 2 : n;
      for (std::size_t i = 0; i < starts; ++i) {
        std::size_t fast = begin + i, slow = begin + (i + distance) % n;
        if (ns[fast] == ns[slow]) continue;
        if (ns[fast] > ns[slow]) std::swap(fast, slow);
        pairs_.push_back({fast, slow, (1 - ns[fast] / ns[slow]) / static_cast<double>(2 * distances)});
      }
    }
  }
}

double PairwiseLogistic::loss(std::span<const double> scores) const {
  double sum = 0;
  for (const Pair& p : pairs_) sum += p.weight * softplus(scores[p.slower] - scores[p.faster]);
  return sum;
}

void PairwiseLogistic::gradient(std::span<const double> scores, std::span<double> first, std::span<double> second) const {
  std::fill(first.begin(), first.end(), 0.0);
  std::fill(second.begin(), second.end(), 0.0);
  for (const Pair& p : pairs_) {
    const double wrong = sigmoid(scores[p.slower] - scores[p.faster]);
    const double slope = p.weight * wrong;
    const double curvature = 2 * p.weight * wrong * (1 - wrong);  // twice: both ends move
    first[p.faster] -= slope;
    first[p.slower] += slope;
    second[p.faster] += curvature;
    second[p.slower] += curvature;
  }
}

}  // namespace tessera::cost_model
