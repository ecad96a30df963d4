#pragma once

#include <string>
#include <vector>

#include "schedule/plan.h"
#include "schedule/state.h"

namespace tessera::schedule {

/// Computes the whole box of a stage at its place in every iteration, also where the box sticks out of the
/// tensor: loops run constant counts, and what sticks out is zero (of a reduction: unspecified), is
/// stored and never asked for by a result.
///
///   A.s computed at C.i0, 100 rows in tiles of 16:  rows min(16, 100 - 16*i0)  ->  16 rows, zero from row 100 on
///
/// A split of one of its dimensions with tail `pad` makes the box whole tiles of that split, also where the tensor
/// ends within the first.  37 rows, split by 16 with `pad`: 48 rows
///
/// What a padded reduction reads is padded too, or asked for element by element. Refuses: stages at
/// root, scans, externs, rolling windows and tensors that are stored elsewhere than computed.
struct PadBox {
  static constexpr const char* kName = "pad_box";
  std::string stage;
  static constexpr auto fields() { return std::tuple{field("stage", &PadBox::stage)}; }
  Result<State> apply(const State& state) const;
  bool operator==(const PadBox&) const = default;
};

}  // namespace tessera::schedule
