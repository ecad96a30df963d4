// How a stage of a kernel lies on the threads of a block: an element a thread, or a sum that several threads share.
#pragma once

#include <cstdint>

#include "polyhedral/detail/draft.h"

namespace tessera::polyhedral::detail {

/// A stage in the making inside of a kernel. `grid` are its loops over blocks (none of a stage that is computed inside of
/// them), `tile` its other loops over data, outermost first.
struct BlockStage {
  std::string stage;
  Names grid, tile;
};

/// Product of the extents of the axes of one kind that the stage began with; of data, in the box of its place.
double volume(const schedule::Stage& s, schedule::AxisKind kind);
/// Whether a reduction has a read along its last axis in memory, or a single result.
bool lies_along(const schedule::Stage& s);
/// The last axis of a reduction.
const schedule::RootAxis& last_reduced(const schedule::Stage& s);

/// The largest power of two that is at most n; 1 for n below 1.
std::int64_t power_below(double n);
/// Elements of up to 16 bytes together that an axis of this extent is whole of.
std::int64_t vector_length(std::int64_t extent, int bytes);
/// Fuses `axes` (at least one) to `into`; one alone keeps its name, which is returned.
Result<std::string> fused(Draft& d, const std::string& stage, const Names& axes, const std::string& into);
/// Makes the loops over blocks one, bound to block.x. Its name; empty where there is none.
Result<std::string> bind_grid(Draft& d, const std::string& stage, const Names& grid);

/// An element a thread at a time, `threads` beside each other along the last of the loops; `sums`, where it is not empty,
/// is what the stage copies: a reduction, in a register of its thread.
Status spread_elements(Draft& d, const BlockStage& s, const std::string& sums, std::int64_t threads);

/// Threads add up the parts of each result of `sums`, which the stage copies (or is), and meet: `lanes` of the block's
/// `threads` (powers of two) a result, or fewer where it has fewer terms.
Status join_threads(Draft& d, const BlockStage& s, const std::string& sums, std::int64_t lanes, std::int64_t threads);

/// What `reduction` reads of memory along `coordinate` inside of `loop`: in one vector, into registers.
Status read_in_vectors(Draft& d, const std::string& reduction, const ir::Var& coordinate, const std::string& loop);

}  // namespace tessera::polyhedral::detail
