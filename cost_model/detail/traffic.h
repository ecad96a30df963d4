// Lines that move between the levels of memory.
#pragma once

#include "cost_model/detail/nest_analysis.h"

namespace tessera::cost_model::detail {

/// Bytes touched at each loop level, the level that fits each cache, the reuse of each access, and its
/// traffic across each boundary: the loop around those that fit fetches each of its lines once, for what
/// two of its iterations share is still there.
void analyze_levels(StatementView& v, const Machine& m);

/// Drops the traffic below caches that hold the whole program: it is measured warm.
void analyze_traffic(NestView& nest, const Machine& m);

}  // namespace tessera::cost_model::detail
