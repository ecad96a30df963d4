// The draft's terms of a nest that is analysed already.
#pragma once

#include "cost_model/detail/nest_analysis.h"
#include "cost_model/draft.h"

namespace tessera::cost_model::detail {

DraftTerms draft_terms(const NestView& nest, const Machine& machine);

}  // namespace tessera::cost_model::detail
