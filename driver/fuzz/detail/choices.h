// What random walks over the steps have in common: a stage, a name, a factor that may fit.
#pragma once

#include <string>
#include <vector>

#include "driver/fuzz/random_schedule.h"
#include "schedule/step.h"
#include "support/rng.h"

namespace tessera::driver::detail {

class Choices {
 public:
  Choices(const schedule::State& state, Rng& rng) : state_(state), rng_(rng) {}

 protected:
  /// Any that is computed (or, with `inputs`, read); nullptr when there is none.
  const schedule::Stage* stage(bool inputs = false);
  /// A computed stage that is no output, if there is one.
  const schedule::Stage* inner_stage();
  /// A name that no axis and no stage has.
  std::string fresh(const std::string& hint);
  /// For a split of a loop of extent `n`: divisors, powers of two, others, now and then 1 or more than n.
  std::int64_t factor(std::int64_t n);
  ir::Tail tail();
  /// Some readers of a stage; empty stands for all.
  std::vector<std::string> some_readers(const schedule::Stage& s);

  const schedule::State& state_;
  Rng& rng_;

 private:
  std::vector<std::string> used_;
};

inline constexpr double kMostWork = 3e5;

/// Statements that a state runs, from above: recomputation multiplies.
double work(const schedule::State& state);

/// Goes on by a step that is legal and leaves the work near that of `initial`; counts it either way.
void walk_on(Walk& walk, const schedule::Step& step, const schedule::State& initial, WalkStatistics& statistics);

}  // namespace tessera::driver::detail
