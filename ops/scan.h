// Recurrences: running sums, recurrent networks.
#pragma once

#include "ops/operator.h"

namespace tessera::ops {

const Operator& cumsum();
const Operator& cumsum_rows();
const Operator& rnn();

}  // namespace tessera::ops
