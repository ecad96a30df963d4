#pragma once

#include <string>
#include <vector>

#include "schedule/plan.h"
#include "schedule/state.h"

namespace tessera::schedule {

/// Where the buffer of a stage lives. On a CPU `register` becomes SSA values: it needs a stage computed
/// at a loop of its consumer and at most 16 KiB. Refuses: inputs, outputs.
struct SetScope {
  static constexpr const char* kName = "set_scope";
  std::string stage;
  ir::Scope scope = ir::Scope::kGlobal;
  static constexpr auto fields() {
    return std::tuple{field("stage", &SetScope::stage), field("scope", &SetScope::scope)};
  }
  Result<State> apply(const State& state) const;
  bool operator==(const SetScope&) const = default;
};

}  // namespace tessera::schedule
