#pragma once

#include <string>
#include <vector>

#include "schedule/plan.h"
#include "schedule/state.h"

namespace tessera::schedule {

/// Attaches a number to a loop under a name of the closed list (schedule/steps/annotate.cpp).
struct Annotate {
  static constexpr const char* kName = "annotate";
  std::string stage;
  std::string axis;
  std::string key;
  Param value;
  static constexpr auto fields() {
    return std::tuple{field("stage", &Annotate::stage), field("axis", &Annotate::axis),
                          field("key", &Annotate::key), field("value", &Annotate::value)};
  }
  Result<State> apply(const State& state) const;
  bool operator==(const Annotate&) const = default;
};

}  // namespace tessera::schedule
