// Which holes of a sketch mattered: how much of the spread of measured times goes with the value of
// each, and what the other values cost. A statement about the trials of one log, which the search did
// not choose at random: holes that moved together share the credit.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace tessera::tuning_logs {

/// A trial that ran correctly.
struct TimedPoint {
  std::string sketch;
  const std::map<std::string, std::int64_t>* decisions = nullptr;
  std::int64_t ns = 0;
};

/// Values of a hole that stand next to each other, joined until enough trials took them.
struct HoleLevel {
  std::int64_t low = 0, high = 0;
  int points = 0;
  double penalty = 0;        // median time of the fastest quarter, over that of the best level, less 1
  std::int64_t best_ns = 0;  // fastest trial
};

struct HoleImportance {
  std::string hole;
  int points = 0;  // trials behind the figures
  int values = 0;  // distinct ones that were tried
  /// Part of the variance of log(time) that lies between the levels, corrected for what any grouping
  /// takes by chance; 0 to 1. Empty: not enough points.
  std::optional<double> share;
  double chance = 1;  // how often shuffled times give as much; above kChance the share means little
  std::vector<HoleLevel> levels;  // by value; empty without a share
};
inline constexpr double kChance = 0.05;
inline constexpr int kFewestPoints = 8;       // of a hole with a share
inline constexpr int kFewestLevelPoints = 3;
inline constexpr int kMostLevels = 8;

/// All holes of `points`, the most important first. Points of several sketches are compared with the
/// mean of their own sketch, so that what the sketches differ by is not ascribed to a hole.
std::vector<HoleImportance> hole_importance(const std::vector<TimedPoint>& points);

}  // namespace tessera::tuning_logs
