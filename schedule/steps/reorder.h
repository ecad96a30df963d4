#pragma once

#include <string>
#include <vector>

#include "schedule/plan.h"
#include "schedule/state.h"

namespace tessera::schedule {

/// Permutes the named loops among the positions they hold; the others stay.
///
///   for i: for j: for k: ...   ->   for k: for j: for i: ...              reorder k, i
///
/// Always legal for a pure stage: the initialisation of a reduction is emitted outside its outermost
/// reduction loop wherever that stands. Refuses: unknown or repeated loops.
struct Reorder {
  static constexpr const char* kName = "reorder";
  std::string stage;
  std::vector<std::string> order;
  static constexpr auto fields() {
    return std::tuple{field("stage", &Reorder::stage), field("order", &Reorder::order)};
  }
  Result<State> apply(const State& state) const;
  bool operator==(const Reorder&) const = default;
};

}  // namespace tessera::schedule
