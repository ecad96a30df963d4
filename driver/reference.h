// What every candidate of a program is held against: operands, and the answers expected of them.
//
// Two operand sets. The first holds small integers, for which every legal schedule gives the same
// bits (dsl/inputs.h); programs with exp, division and the like have no such inputs and use ordinary
// numbers with proved bounds instead, or 1 and -1 where a sum is so long that its bound would hide a wrong
// element. The second holds ordinary numbers and serves for timing too.
//
// Small programs are evaluated at every point. Large ones (above 2^22 operations) are evaluated at
// all corners and 4,096 random points; the rest of their output is held against a plainly compiled
// default plan that has been certified at those points.
#pragma once

#include "driver/builder.h"
#include "dsl/evaluate.h"
#include "runtime/cpu/host.h"

namespace tessera::driver {

struct Reference {
  runtime::DataSet data;
  bool exact = false;            // the first set is compared bit for bit
  bool every_point = false;      // evaluated everywhere, not only at points
};

/// UserError when the program cannot be evaluated; InternalError when the default plan is wrong.
Reference make_reference(const dsl::ComputeDag& dag, const ir::Target& target, std::uint64_t seed, Builder& builder,
                         runtime::CpuMeasurer& measurer);

}  // namespace tessera::driver
