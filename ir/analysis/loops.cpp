#include "ir/analysis/loops.h"

#include "ir/analysis/affine.h"

namespace tessera::ir {

LoopRange loop_range(const For& n, const Bounds& bounds) {
  const Interval lo = range_of(n.min, bounds), count = affine_sum(n.extent).range(bounds);
  return {count, {lo.lo, (lo + count - Interval::point(1)).hi}};
}

void extend_bounds(const Stmt& s, Bounds& bounds) {
  if (const auto* n = s.as<For>()) bounds[n->var.id()] = loop_range(*n, bounds).values;
  if (const auto* n = s.as<LetStmt>()) bounds[n->var.id()] = range_of(n->value, bounds);
}

}  // namespace tessera::ir
