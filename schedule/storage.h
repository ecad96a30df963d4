// Where a stage keeps its values: the box that is stored, how large it is allocated, in which order.
// Lowering allocates by it; summaries count bytes by it.
#pragma once

#include <vector>

#include "ir/layout.h"
#include "schedule/state.h"

namespace tessera::schedule {

struct StoredBox {
  Exprs base;
  std::vector<std::int64_t> window;    // a dimension that rolls is stored modulo this; 0 elsewhere
  std::vector<std::int64_t> extents;   // allocated, all slots
  ir::Layout layout;
  Expr slot = {};                      // of a pipelined stage: where its first index begins for this iteration

  /// The index into the buffer: logical - base, or logical modulo the window.
  Exprs index(const Exprs& logical) const;
};

/// The box at the place of storage (store_at, else compute_at, else the whole output). Splits with
/// tail `pad` grow it to whole tiles. Refuses layouts that overflow.
Result<StoredBox> stored_box(const State& state, const Stage& s);

/// Slots of the pipeline whose iterations a loop of `s` runs; 1: none.
int slots_at(const State& state, const Stage& s, const std::string& leaf);

/// The elements of a tensor that stand for the cache lines of the box one iteration touches: lo + i * step
/// a dimension, for i below count. Steps are longer than 1 in the dimension whose elements are neighbours.
struct PrefetchedLines {
  Exprs lo;  // logical, in the iteration that prefetches
  std::vector<std::int64_t> step, counts;
  std::int64_t count() const;
};
Result<PrefetchedLines> prefetched_lines(const State& state, const Stage& s, const PrefetchMark& mark);

/// Root stages that depend on constant operands alone and are no output: they run once, ahead of all
/// runs. In the order of the stages.
std::vector<std::string> prepared_stages(const State& state);

}  // namespace tessera::schedule
