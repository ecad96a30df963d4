// Reductions: from the identity, every term once, nothing else.
#pragma once

#include "polyhedral/detail/stores.h"

namespace tessera::polyhedral::detail {

/// Checks every reduction in every iteration of the loops around its initialisation and its updates: what was
/// started there has all its terms at the end of the iteration. Those that are not understood become undecided.
void check_reductions(const Judged& judged, Producers& producers, Verdict& verdict);

}  // namespace tessera::polyhedral::detail
