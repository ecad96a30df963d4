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

CentredLogTime::CentredLogTime(const std::vector<double>& ns, std::vector<std::size_t> tasks) : tasks_(std::move(tasks)) {
  for (const double t : ns) log_ns_.push_back(std::log(t));
  weights_.resize(ns.size());
  for (std::size_t t = 0; t + 1 < tasks_.size(); ++t) {
    const auto begin = ns.begin() + static_cast<std::ptrdiff_t>(tasks_[t]), end = ns.begin() + static_cast<std::ptrdiff_t>(tasks_[t + 1]);
    if (begin == end) continue;
    const double best = *std::min_element(begin, end);
    double total = 0;
    for (std::size_t i = tasks_[t]; i < tasks_[t + 1]; ++i) total += weights_[i] = best / ns[i];
    for (std::size_t i = tasks_[t]; i < tasks_[t + 1]; ++i) weights_[i] *= static_cast<double>(end - begin) / total;
  }
}

std::vector<double> CentredLogTime::errors(std::span<const double> scores) const {
  std::vector<double> out(scores.size());
  for (std::size_t t = 0; t + 1 < tasks_.size(); ++t) {
    double sum = 0, total = 0;
    for (std::size_t i = tasks_[t]; i < tasks_[t + 1]; ++i) {
      out[i] = scores[i] + log_ns_[i];
      sum += weights_[i] * out[i];
      total += weights_[i];
    }
    for (std::size_t i = tasks_[t]; i < tasks_[t + 1]; ++i) out[i] -= sum / total;
  }
  return out;
}

double CentredLogTime::loss(std::span<const double> scores) const {
  const std::vector<double> e = errors(scores);
  double sum = 0;
  for (std::size_t i = 0; i < e.size(); ++i) sum += weights_[i] * (std::abs(e[i]) <= 1 ? e[i] * e[i] / 2 : std::abs(e[i]) - 0.5);
  return sum;
}

void CentredLogTime::gradient(std::span<const double> scores, std::span<double> first, std::span<double> second) const {
  const std::vector<double> e = errors(scores);
  for (std::size_t t = 0; t + 1 < tasks_.size(); ++t) {
    double sum = 0, total = 0;
    for (std::size_t i = tasks_[t]; i < tasks_[t + 1]; ++i) {
      second[i] = weights_[i];
      first[i] = weights_[i] * std::clamp(e[i], -1.0, 1.0);
      sum += first[i];
      total += weights_[i];
    }
    for (std::size_t i = tasks_[t]; i < tasks_[t + 1]; ++i) first[i] -= weights_[i] * sum / total;  // each moves the mean too
  }
}

}  // namespace tessera::cost_model
