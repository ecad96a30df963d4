#pragma once

#include <string>
#include <vector>

#include "schedule/plan.h"
#include "schedule/state.h"
#include "schedule/steps/layout_piece.h"

namespace tessera::schedule {

/// A copy of a tensor for some readers in a storage order of its own: cache_read and transform_layout
/// in one step. At root and from constant operands only, it runs once, in the `prepare` phase.
struct Pack {
  static constexpr const char* kName = "pack";
  std::string stage;
  std::vector<std::string> readers;
  std::string into;
  std::vector<LayoutPiece> order;
  static constexpr auto fields() {
    return std::tuple{field("stage", &Pack::stage), defaulted("readers", &Pack::readers),
                          field("into", &Pack::into), field("order", &Pack::order)};
  }
  Result<State> apply(const State& state) const;
  bool operator==(const Pack&) const = default;
};

}  // namespace tessera::schedule
