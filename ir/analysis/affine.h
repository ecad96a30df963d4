// Index expressions as sums of atoms: constant + sum of coefficient * atom, where an atom is a
// variable or an i64 expression that is not itself a sum (a floordiv, a min, a load, ...).
#pragma once

#include <cstdint>
#include <vector>

#include "ir/analysis/interval.h"
#include "ir/expr.h"

namespace tessera::ir {

struct Term {
  Expr atom;
  std::int64_t coefficient;
};

/// Terms keep the order in which they first appeared; no two have equal atoms, none is zero.
struct AffineSum {
  std::vector<Term> terms;
  std::int64_t constant = 0;

  void add(const AffineSum& o, std::int64_t scale = 1);
  void add(const Expr& atom, std::int64_t coefficient);
  std::int64_t coefficient_of(VarId v) const;
  bool is_constant() const { return terms.empty(); }
  Interval range(const Bounds& bounds) const;
  Expr expr() const;
};

/// `e` (i64, scalar) as a sum; products of two non-constants and everything else become atoms.
/// Coefficients that would overflow keep their product as an atom.
AffineSum affine_sum(const Expr& e);

/// `e` = coefficient * var + rest with `var` not in rest; false when `var` occurs in any other way.
bool split_linear(const Expr& e, VarId var, std::int64_t& coefficient, Expr& rest);

/// The largest power of two, up to 2^20, that divides `e` for all values of its variables.
std::int64_t divisor_of(const Expr& e);

}  // namespace tessera::ir
