// A plan in the making.
#pragma once

#include <string>
#include <vector>

#include "schedule/step.h"

namespace tessera::polyhedral::detail {

using Names = std::vector<std::string>;

constexpr int kRowsOfTile = 4;  // rows of results that registers hold together

/// A state and the steps that led there.
struct Draft {
  schedule::State state;
  schedule::StepList steps;

  Status step(schedule::Step s) {
    TESSERA_TRY(next, schedule::apply_step(state, s));
    state = std::move(next);
    steps.push_back(std::move(s));
    return Done{};
  }
  const schedule::Stage& stage(const std::string& name) const { return *state.find(name); }
  std::int64_t extent(const std::string& stage_name, const std::string& axis) const { return stage(stage_name).find_axis(axis)->extent; }
};

}  // namespace tessera::polyhedral::detail
