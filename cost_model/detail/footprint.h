// How much memory an access touches, in closed form from its strides: rectangles of regular steps, as
// loop nests over arrays make them.
#pragma once

#include <array>

#include "cost_model/detail/limits.h"
#include "ir/nest_summary.h"

namespace tessera::cost_model::detail {

struct Footprint {
  double elements = 0;
  double run = 0;    // elements that lie side by side
  double lines = 0;  // of 64 bytes
  double pages = 0;  // of 4 KiB
  double sets = 0;   // of the first cache's 64 sets, those that its lines fall into
};

/// The loops that move an access, smallest stride first.
struct StrideOrder {
  std::array<int, kMaxLoops> loop;
  std::array<double, kMaxLoops> stride, extent;
  int count = 0;
};

/// `extents` of the `loops` loops from `first` on in the access' own list.
StrideOrder order_strides(const ir::AccessSummary& a, int first, int loops, const double* extents);

/// Whether the k-th stride begins a dimension of the array rather than continue one that reaches to `reach`:
/// the loops of a tile, from `block` on, are the innermost of their dimension.
bool begins_dimension(const StrideOrder& order, int k, double reach, int block);

/// What loops `from` and those inside it touch. Distinct elements of one affine access: dimensions are
/// built from the smallest stride up; a stride within the reach of the dimension below extends it, a
/// larger one starts the next. Exact for loops that run in full whose larger strides are multiples of smaller ones;
/// otherwise an estimate. Never more than the buffer holds.
Footprint footprint(const ir::AccessSummary& a, const StrideOrder& order, int from);

}  // namespace tessera::cost_model::detail
