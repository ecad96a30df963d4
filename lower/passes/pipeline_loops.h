#pragma once

#include "lower/lower.h"

namespace tessera::lower {

/// Turns loops with the note `pipeline` (slots of their channels) into pipelines. What stands between
/// `acquire` and `commit` of a channel fills its slot; the rest of the body uses it.
///
///   for k in 0..n pipeline=3 { acquire c; fill(k); commit c; use(k) }
///   ->
///   acquire; fill(0); commit; acquire; fill(1); commit
///   for k in 0..n { wait 1; barrier; acquire; if k + 2 < n: fill(k + 2); commit; use(k) }
///
/// `wait m` stands until at most m commits are unfinished. One barrier an iteration does: it shows the
/// slot that has arrived to all threads, and the slot that is filled next has been read by all.
/// Needs the tile program (threads as loops). Refuses a filling that depends on the rest of its body.
Result<ir::Program> pipeline_loops(const ir::Program& program, const Options& options);

}  // namespace tessera::lower
