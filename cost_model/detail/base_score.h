// What a task's score is before trees correct it: prior and draft, fitted to the measured points.
#pragma once

#include <array>
#include <span>

namespace tessera::cost_model::detail {

/// Estimates of -log(time) up to a constant: the prior's and the draft's.
using Estimates = std::array<double, 2>;

struct BaseScore {
  Estimates slope{};     // of each estimate
  double intercept = 0;  // so that the best measured program has about 1
  bool fitted = false;

  /// best time / time, by the estimates. Above 1 it grows slowly, so that trees keep their say. Before
  /// any point is measured only its order means something.
  double operator()(const Estimates& e) const;
};

/// The part of its weight an estimate keeps, by its pair accuracy on `points` measured programs: all
/// from 0.7 on, none at 0.5. Eight pseudo-points at 0.8 stand for the good faith it starts with.
double trust(double accuracy, std::size_t points);

/// Weighted least squares of -log(time) on the estimates, slopes >= 0 and held near `usual` by eight
/// pseudo-points. Then each slope is multiplied by its trust and the intercept fitted again.
BaseScore fit_base(std::span<const Estimates> estimates, std::span<const double> minus_log_ns, std::span<const double> weights,
                   const Estimates& usual, const Estimates& trusts);

}  // namespace tessera::cost_model::detail
