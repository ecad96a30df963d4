// How good an order is. Predictions are scores, higher is better; truth is a time, lower is better,
// both of one task.
#pragma once

#include <cstddef>
#include <span>

namespace tessera::cost_model {

/// Share of the pairs of different times that the scores put in the right order; equal scores count
/// half. 0.5 when there is no such pair. (Ansor, OSDI 2020, without its pairs of equal times.)
double pair_accuracy(std::span<const double> scores, std::span<const double> ns);

/// Share of the k fastest programs that are among the k best scored; ties go to the earlier program.
/// k is cut to the number of programs; 1 when there is none.
double recall_at(std::size_t k, std::span<const double> scores, std::span<const double> ns);

/// The fastest time over the fastest among the k best scored: 1 when the best was found. 0 when empty.
double top_score(std::size_t k, std::span<const double> scores, std::span<const double> ns);

/// 1 - squared error / variance of the truth; 0 when the truth does not vary.
double r_squared(std::span<const double> predicted, std::span<const double> truth);

}  // namespace tessera::cost_model
