// From recordings to a prior.
#pragma once

#include "cost_model/prior.h"
#include "search/recording.h"

namespace tessera::search {

/// The processor a recording comes from.
Result<cost_model::Machine> machine_of(const Recording& r);
/// Features and the smallest time of every point that ran. Refuses a recording whose program or steps this
/// version does not read.
Result<cost_model::TaskData> training_data(const Recording& r);

}  // namespace tessera::search
