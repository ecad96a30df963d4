// What a booster minimises, as a function of one score for each program.
#pragma once

#include <cstddef>
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

/// Times within tasks, whatever their scale: sum of weight * (score + log(time) - its task's mean)^2 / 2.
/// The mean is that of the scores at hand, fast programs weigh more than slow ones, and errors beyond a
/// factor of e pull no harder (Huber 1964): a few programs that no feature explains must not decide.
class CentredLogTime : public Objective {
 public:
  /// `ns` of all programs, those of a task in a row; `tasks` holds each task's first index and, at the end,
  /// the number of programs.
  CentredLogTime(const std::vector<double>& ns, std::vector<std::size_t> tasks);
  double loss(std::span<const double> scores) const override;
  void gradient(std::span<const double> scores, std::span<double> first, std::span<double> second) const override;

 private:
  std::vector<double> errors(std::span<const double> scores) const;

  std::vector<double> log_ns_, weights_;
  std::vector<std::size_t> tasks_;
};

}  // namespace tessera::cost_model
