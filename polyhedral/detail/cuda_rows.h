// A chain of stages over the rows of a tensor (softmax, norms) in one kernel: a block has a few rows, the threads of a
// row share its elements in the same way in every stage, so that each finds in its registers what it left there.
//
//   row.b (block.x): X.row = X (registers), M = max X.row (joined), S = sum exp(X.row - M) (joined)
//   row.y (thread.y), c.w.x (thread.x), c.w.0, c.v (vector): Y = exp(X.row - M) / S
#pragma once

#include "polyhedral/detail/draft.h"

namespace tessera::polyhedral::detail {

/// `chain` are the other stages, readers first. `kept`: what several stages read of a row is read once and stays in
/// registers; else stages with a value an element are computed again where they are read. Refuses stages that
/// are no chain over rows, and rows that do not fit the registers of a block.
Status row_chain(Draft& d, const std::string& output, const Names& chain, bool kept);

}  // namespace tessera::polyhedral::detail
