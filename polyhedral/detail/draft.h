// A plan in the making.
#pragma once

#include <algorithm>
#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "polyhedral/decisions.h"
#include "schedule/step.h"

namespace tessera::polyhedral::detail {

using Names = std::vector<std::string>;

/// A state, the steps that led there, and the numbers in them by name: as they were decided, else by rule.
struct Draft {
  schedule::State state;
  schedule::StepList steps;                     // with holes for the open sizes
  std::map<std::string, std::int64_t> decided = {};
  std::map<std::string, std::int64_t> numbers = {};  // all that were asked for
  std::vector<OpenSize> open = {};

  /// A number on which names of loops depend.
  std::int64_t number(const std::string& name, std::int64_t by_rule) {
    const auto it = decided.find(name);
    return numbers[name] = it == decided.end() ? by_rule : it->second;
  }
  /// One that may be any of `domain` while the names of all loops stay; at least 1, whatever was decided.
  schedule::Param size(const std::string& name, std::int64_t by_rule, std::vector<std::int64_t> domain) {
    const std::int64_t chosen = numbers[name] = std::max<std::int64_t>(1, number(name, by_rule));
    domain.push_back(chosen);
    std::sort(domain.begin(), domain.end());
    domain.erase(std::unique(domain.begin(), domain.end()), domain.end());
    if (domain.size() == 1) return chosen;
    open.push_back({name, chosen, std::move(domain)});
    return schedule::Param::open(name);
  }
  std::int64_t value(const schedule::Param& p) const { return p.is_open() ? numbers.at(p.hole) : p.value; }

  Status step(schedule::Step s) {
    TESSERA_TRY(filled, schedule::fill_holes({s}, numbers));
    TESSERA_TRY(next, schedule::apply_step(state, filled[0]));
    state = std::move(next);
    steps.push_back(std::move(s));
    return Done{};
  }
  const schedule::Stage& stage(const std::string& name) const { return *state.find(name); }
  std::int64_t extent(const std::string& stage_name, const std::string& axis) const { return stage(stage_name).find_axis(axis)->extent; }
};

}  // namespace tessera::polyhedral::detail
