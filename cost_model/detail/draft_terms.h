// The draft's terms of a nest that is analysed already.
#pragma once

#include "cost_model/detail/nest_analysis.h"
#include "cost_model/draft.h"

namespace tessera::cost_model::detail {

/// Fills in the terms of the statements of `nest` (nothing for those that are prepared); `parts` takes them
/// too, reusing its memory, and `terms` those of the program.
void draft_terms(NestView& nest, const Machine& machine, DraftTerms& terms, std::vector<DraftTerms>& parts);

}  // namespace tessera::cost_model::detail
