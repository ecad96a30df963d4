#pragma once

#include <string>
#include <vector>

#include "schedule/plan.h"
#include "schedule/state.h"
#include "schedule/steps/layout_piece.h"

namespace tessera::schedule {

/// Stores the buffer of a stage in another order. `order` lists pieces, outermost first: an axis and
/// the block it is cut into; factor 0 is what the axis' other pieces leave.
///
///   B[k, j], order (j, 0) (k, 0) (j, 16)   ->   panels of 16 columns, each k-major
///
/// Refuses: inputs and outputs (their layout is the caller's), an axis that is not covered once, an
/// innermost axis whose stride storage_align has widened.
struct TransformLayout {
  static constexpr const char* kName = "transform_layout";
  std::string stage;
  std::vector<LayoutPiece> order;
  static constexpr auto fields() {
    return std::tuple{field("stage", &TransformLayout::stage), field("order",
                          &TransformLayout::order)};
  }
  Result<State> apply(const State& state) const;
  bool operator==(const TransformLayout&) const = default;
};

}  // namespace tessera::schedule
