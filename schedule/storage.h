// Where a stage keeps its values: the box that is stored, how large it is allocated, in which order.
// Lowering allocates by it; summaries count bytes by it.
#pragma once

#include <vector>

#include "ir/layout.h"
#include "schedule/state.h"

namespace tessera::schedule {

struct StoredBox {
  Exprs base;                          // logical index - base is the index into the buffer
  std::vector<std::int64_t> extents;   // allocated
  ir::Layout layout;
};

/// The box at the place of storage (store_at, else compute_at, else the whole output). Splits with
/// tail `pad` grow it to whole tiles. Refuses layouts that overflow.
Result<StoredBox> stored_box(const State& state, const Stage& s);

/// Root stages that depend on constant operands alone and are no output: they run once, ahead of all
/// runs. In the order of the stages.
std::vector<std::string> prepared_stages(const State& state);

}  // namespace tessera::schedule
