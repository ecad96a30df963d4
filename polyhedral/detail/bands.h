// What the scheduler of ISL makes of some stages, as far as shared loops can say it.
#pragma once

#include <vector>

#include "polyhedral/align.h"
#include "polyhedral/detail/stage_reads.h"

namespace tessera::polyhedral::detail {

/// Stages in the same outermost bands. `rows[k][s]` is the coordinate of stage s that row k is.
struct BandGroup {
  std::vector<int> stages;             // positions in Equations::stages, ascending
  std::vector<std::vector<int>> rows;  // parallel, all with one offset; by position in `stages`
  int left_out = 0;                    // parallel rows that are no coordinate of every stage
};

/// The outermost bands of ISL's schedule of the elements of `stages`: what a reduction runs over is no row of theirs,
/// and the integer programs are much smaller without. ISL may take any time and throw any of its exceptions.
std::vector<BandGroup> scheduled_bands(const IslContext& isl, const StageReads& reads, const std::vector<int>& stages, Grouping grouping);

}  // namespace tessera::polyhedral::detail
