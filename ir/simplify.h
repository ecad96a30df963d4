// Exact algebra on integer index expressions and boolean conditions, given the ranges of variables.
//
//   simplify((i*4 + j) // 4)          with j in [0, 4)   ->  i
//   simplify((i*4 + j) % 4)           with j in [0, 4)   ->  j
//   simplify(min(4, 10 - i*4))        with i in [0, 2)   ->  4
//   simplify((p // 7)*7 + p % 7)                         ->  p
//
// Every rule holds for all integers inside the ranges (tests/unit/ir prove each by enumeration);
// values are taken not to overflow i64, which program construction guarantees for index arithmetic.
// Floating-point expressions keep their meaning bit for bit: only their index parts change.
#pragma once

#include "ir/analysis/interval.h"
#include "ir/stmt.h"

namespace tessera::ir {

Expr simplify(const Expr& e, const Bounds& bounds = {});
/// Simplifies every expression of `s`; loop variables get their ranges, conditions that are decided
/// remove their branch, loops of no iterations disappear and of one become a substitution.
Stmt simplify(const Stmt& s, const Bounds& bounds = {});

/// True only when `condition` holds for all values in the ranges.
bool proves(const Expr& condition, const Bounds& bounds = {});

}  // namespace tessera::ir
