// Promotion for CPUs: operands in an order of their own.
#pragma once

#include "polyhedral/detail/draft.h"

namespace tessera::polyhedral::detail {

/// Whether vectors run along the last axis of a reduction only when an operand is copied into panels, and copying pays.
bool needs_panel(const schedule::State& state, const schedule::Stage& product);

struct PackOptions {
  schedule::Param width;  // of a panel, in elements
  int lanes = 1;          // of a vector
  bool parallel = false;  // the copy, where it is made in every run
};
/// A copy of the operand that is read along the columns, in panels: made ahead where the operand is constant, else where
/// many tiles read it. Nothing where there is none or it does not pay.
Status pack(Draft& draft, const std::string& product, const PackOptions& options);

/// Of a transpose: all of a cache line is used while it is there. The axis that was cut, or nothing.
///
///   for i, j.o, j.v: Y[i, j] = X[j, i]    ->    for i.0, j.o, i.l, j.v
Result<std::string> keep_lines(Draft& draft, const std::string& stage, int lanes);

}  // namespace tessera::polyhedral::detail
