// How a reduction is laid out for tiling: which of its axes become vectors, which are rows that share
// a vector operand, and in which order the reduction runs.
#pragma once

#include <string>
#include <vector>

#include "search/rules/sketch_builder.h"

namespace tessera::search {

struct ReductionShape {
  schedule::RootAxis column;                 // the data axis that becomes vectors: the last one
  std::vector<schedule::RootAxis> rows;      // at most two data axes over which the vector operand is reused
  std::vector<schedule::RootAxis> others;    // remaining data axes
  std::vector<schedule::RootAxis> reduce;    // outermost first: largest stride of the vector operand outermost
  const ir::Load* panel = nullptr;           // the read that moves along the column axis and can be packed
  int panel_dim = -1;                        // its dimension that is exactly the column coordinate
};

/// `s` must be a reduction with a data axis.
ReductionShape shape_of(const schedule::Stage& s);

/// The elementwise stage into which the reduction's results go, index by index; empty when none.
std::string epilogue_of(const SketchBuilder& b, const schedule::Stage& s);

/// Vector reads of the reduction are contiguous along the columns, or constant.
bool reads_in_vectors(const schedule::Stage& s);

/// Packs the panel operand of `stage` into panels as wide as the tile (the hole `width`), the reduction
/// outermost in each: what the inner loop reads lies in one run of memory. Names of the stage's own axes
/// do not change.
///
///   B[k, j]   ->   B.pack[j / width][k][j % width]
Status pack_panel(SketchBuilder& b, const std::string& stage, const std::string& width);

}  // namespace tessera::search
