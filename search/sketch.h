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
};

/// All sketches of a task, in the order of the rules (search/rules/builtin_rules.cpp).
std::vector<Sketch> generate_sketches(const Task& task);

}  // namespace tessera::search
