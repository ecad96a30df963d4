// What statements say of the variables that they define.
#pragma once

#include "ir/analysis/interval.h"
#include "ir/stmt.h"

namespace tessera::ir {

struct LoopRange {
  Interval count;   // how often the loop may run
  Interval values;  // of its variable
};
LoopRange loop_range(const For& n, const Bounds& bounds);

/// Adds the range of the variable that a loop or a let defines; other statements define none.
void extend_bounds(const Stmt& s, Bounds& bounds);

}  // namespace tessera::ir
