// Accesses as places: inside of their buffers, and apart where iterations run at once.
#pragma once

#include "polyhedral/detail/flow.h"

namespace tessera::polyhedral::detail {

/// Every read and store lies in its buffer; prefetches need not.
void check_bounds(const Judged& judged, Verdict& verdict);
/// No iteration of a parallel, vector, block or thread loop touches what another one writes.
void check_races(const Judged& judged, Verdict& verdict);

}  // namespace tessera::polyhedral::detail
