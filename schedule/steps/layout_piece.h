#pragma once

#include <string>

#include "schedule/plan.h"
#include "schedule/state.h"

namespace tessera::schedule {

/// One piece of a storage order by the name of a data axis; see TransformLayout.
struct LayoutPiece {
  std::string axis;
  Param factor = 0;
  static constexpr auto fields() {
    return std::tuple{field("axis", &LayoutPiece::axis), defaulted("factor", &LayoutPiece::factor)};
  }
  bool operator==(const LayoutPiece&) const = default;
};

/// The pieces by dimension number; refuses unknown axes, open factors and orders that do not cover
/// every axis exactly once.
Result<std::vector<LayoutPart>> resolve_layout(const Stage& s, const std::vector<LayoutPiece>& order);

}  // namespace tessera::schedule
