// Values through memory: whether every element that is read holds what the equation reads there.
//
// Let V be the loops around a read and the writes of its buffer, e the place in the buffer, t the element of
// the tensor. What is read is right when the same iteration of V has put t at e before (or an earlier
// iteration of the innermost loops of V has), and nothing in V puts another element there. The elements of
// a reduction count as put once all its terms are added; these are checked first, for every iteration of
// the loops around its initialisation and its updates.
#pragma once

#include "polyhedral/detail/match.h"

namespace tessera::polyhedral::detail {


/// Loops, and every leaf held against its equation: `matches[i]` is of leaf i.
struct Judged {
  const Equations& program;
  const ir::Program& loops;
  Nest& nest;
  Holders holders;
  std::vector<Match> matches;
};

/// Reductions, reads and outputs.
void check_values(const Judged& judged, Verdict& verdict);

/// "i0 = 2, k = 5" of a point of the leaf's space.
std::string iteration_text(const Leaf& leaf, const isl::point& point);
/// "A[3, 5]" there.
std::string element_text(const std::string& name, const Leaf& leaf, const ir::Exprs& index, const isl::point& point);

}  // namespace tessera::polyhedral::detail
