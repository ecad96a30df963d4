// Conditions that stay in the innermost loops. Lowering cuts serial loops into ranges in which borders
// and last tiles have constant answers (lower/passes/partition_tails.h), but makes at most 24 copies of a
// statement; where that is not enough every iteration pays for the condition. This is the same cutting,
// on numbers.
#pragma once

#include "cost_model/detail/nest_analysis.h"

namespace tessera::cost_model::detail {

/// `out` is the access that writes the result in memory, `v` the statement that works on it: a register
/// tile's own accesses do not tell the size of the result.
Guards guards_of(const StatementView& v, const AccessView& out, const StatementView& writer);

}  // namespace tessera::cost_model::detail
