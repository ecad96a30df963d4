// A sketch: a list of steps with holes, and the space of values that fit them. Rules build sketches
// from a DAG; every point of a sketch's space replays without a refusal.
#pragma once

#include <string>
#include <vector>

#include "schedule/step.h"
#include "search/space.h"
#include "search/task.h"

namespace tessera::search {

struct Sketch {
  std::string name;
  schedule::StepList steps;
  Space space;

  /// {"name", "steps", "holes", "constraints"}
  Json json() const;
  /// Steps with their holes, domains and constraints: a line each, for people.
  std::string text() const;
  bool operator==(const Sketch&) const = default;
};

struct Rule;  // search/rules/sketch_builder.h

/// All sketches of a task, in the order of the rules: the caller's, then the builtin ones
/// (search/rules/builtin_rules.cpp).
std::vector<Sketch> generate_sketches(const Task& task, const std::vector<Rule>& user_rules);
std::vector<Sketch> generate_sketches(const Task& task);

}  // namespace tessera::search
