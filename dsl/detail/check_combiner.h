#pragma once

#include "ir/expr.h"
#include "support/result.h"

namespace tessera::dsl::detail {

/// Tries a user's combination on small values with many ties: refuses one that is not associative or
/// not commutative there, or whose identity changes a value. Combinations that round are not decided.
Status check_combiner(const ir::Combiner& combiner);

}  // namespace tessera::dsl::detail
