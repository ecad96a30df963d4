// The deliberate defects of lower::Mutant that are changes of a state or of expressions. For the
// tests that must catch them; nothing happens under kNone.
#pragma once

#include "lower/lower.h"

namespace tessera::lower {

/// kRegionNotGrown, kInlineDropsPredicate, kRfactorTwice, kParallelReduction, kWindowTooOld.
Result<schedule::State> mutated(const schedule::State& state, Mutant mutant);
/// kIndex32, kTruncDivision.
ir::Expr mutated(const ir::Expr& e, Mutant mutant);

}  // namespace tessera::lower
