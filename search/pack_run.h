// The candidates of a pack measured as those of a search are: judged, the best compared at the end.
#pragma once

#include "search/search.h"
#include "tuning_logs/pack.h"

namespace tessera::search {

/// What is measured and the trial that it makes; one that was not compiled is failed with the reason.
Trial trial_of(const tuning_logs::PackedCandidate& c);

/// `measurer` gets those that were compiled, one at a time; it finds their images by their trials. Hooks as in a search.
SearchResult measure_pack(const Task& task, const tuning_logs::Pack& pack, const ContestOptions& options, Measurer& measurer, const SearchHooks& hooks);

/// GFLOP/s that no kernel of a CUDA task can beat; 0: not known, as not all multiply-adds are of f32.
double peak_gflops(const Task& task);

}  // namespace tessera::search
