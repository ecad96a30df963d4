// ir::NestSummary straight from a State: what a search scores thousands of candidates by.
#pragma once

#include "ir/nest_summary.h"
#include "schedule/state.h"

namespace tessera::schedule {

/// Equal to ir::summarize(lower::build(state)), without building loops: prepared stages first, then
/// the others, each nest in the order in which it is emitted.
Result<ir::NestSummary> summarize(const State& state);

}  // namespace tessera::schedule
