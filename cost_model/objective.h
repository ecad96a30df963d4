// What a booster minimises, as a function of one score for each program.
#pragma once

#include <span>
#include <vector>

namespace tessera::cost_model {

class Objective {
 public:
  virtual ~Objective() = default;
  virtual double loss(std::span<const double> scores) const = 0;
  /// First and (an upper bound of the) second derivatives of the loss by each score.
  virtual void gradient(std::span<const double> scores, std::span<double> first, std::span<double> second) const = 0;
};

/// sum of weight * (score - label)^2 / 2.
class SquaredError : public Objective {
 public:
  SquaredError(std::vector<double> labels, std::vector<double> weights);
  double loss(std::span<const double> scores) const override;
  void gradient(std::span<const double> scores, std::span<double> first, std::span<double> second) const override;

 private:
  std::vector<double> labels_, weights_;
};

/// sum of weight * log(1 + exp(-(+-score))): labels 1 and 0, the score is a log-odds.
class Logistic : public Objective {
 public:
  Logistic(std::vector<double> labels, std::vector<double> weights);
  double loss(std::span<const double> scores) const override;
  void gradient(std::span<const double> scores, std::span<double> first, std::span<double> second) const override;

 private:
  std::vector<double> labels_, weights_;
};

/// The order within tasks, whatever the scale of their times: for pairs (i faster than j) of a task,
/// sum of gap * log(1 + exp(score_j - score_i)), gap = 1 - time_i / time_j, divided by the number of
/// pairs a program is in (RankNet, Burges et al. 2005, with a weight for what a mistake costs).
class PairwiseLogistic : public Objective {
 public:
  /// `ns` of all programs, those of a task in a row; `tasks` holds each task's first index and, at the
  /// end, the number of programs. Each program is paired with `partners` others of its task at evenly
  /// spaced distances in the order given, or with all when there are no more.
  PairwiseLogistic(std::vector<double> ns, std::vector<std::size_t> tasks, std::size_t partners = 32);
  double loss(std::span<const double> scores) const override;
  void gradient(std::span<const double> scores, std::span<double> first, std::span<double> second) const override;

 private:
  struct Pair {
    std::size_t faster, slower;
    double weight;
  };
  std::vector<Pair> pairs_;
};

}  // namespace tessera::cost_model
