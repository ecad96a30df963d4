// The draft's terms of a nest that is analysed already.
#pragma once

#include "cost_model/detail/nest_analysis.h"
#include "cost_model/draft.h"

namespace tessera::cost_model::detail {

/// A statement's part of them; nothing when it is prepared.
DraftTerms statement_terms(const StatementView& v, const Machine& machine);
/// Fills `terms` with those of the program and `parts` with those of its statements, reusing its memory.
void draft_terms(const NestView& nest, const Machine& machine, DraftTerms& terms, std::vector<DraftTerms>& parts);

}  // namespace tessera::cost_model::detail
