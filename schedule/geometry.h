// Exact symbolic geometry of a State: which coordinates a loop iteration stands for, how far every
// loop runs, and which box of a producer its consumers need at a loop.
//
// Extents of the pieces of `i` (extent n) split by 4:    i0: ceil(n/4)     i1: min(4, n - 4*i0)
// so loops enumerate exactly the domain; only `guarded` axes run over and are tested.
#pragma once

#include <map>
#include <set>
#include <string>

#include "ir/rewrite.h"
#include "ir/simplify.h"
#include "schedule/state.h"

namespace tessera::schedule {

/// Loops that hold still: (stage, leaf).
using FixedLoops = std::set<std::pair<std::string, std::string>>;

/// Trip count of an axis of `s`, in loop variables of `s` and of loops outside its place.
Expr axis_extent(const Stage& s, const std::string& axis);
/// Its value in terms of leaf variables.
Expr axis_value(const Stage& s, const std::string& axis);
/// Body coordinate -> global coordinate, in leaf variables.
ir::VarMap coordinate_values(const Stage& s);
/// Conditions under which an iteration of the guarded loops belongs to the domain: the statement runs
/// only under the first; the loops of a `pad` split run on and store zero unless the second hold.
struct Guards {
  Exprs statement, value;
};
Guards guards(const Stage& s);
/// Of a padded stage: the conditions under which what an iteration computes lies inside of the tensor.
Exprs padding_guards(const Stage& s);
/// Position among the leaves of a reduction before which its result is initialised.
std::size_t init_position(const Stage& s);
/// Ranges of the loop variables of all stages.
ir::Bounds loop_bounds(const State& state);

/// Loops at or outside the place of `s` (`inner` excluded): the ones that hold still there.
FixedLoops fixed_at(const State& state, const Attach& place);
/// The box of `s` that all its consumers need while `fixed` holds still, clipped to its shape.
/// `all_reads` false is a deliberate defect for tests: the box of one read alone.
Result<Box> required_region(const State& state, const Stage& s, const FixedLoops& fixed, bool all_reads = true);
/// The box of `tensor` that one iteration of loop `axis` of `s` reads, or writes when `write` and the
/// tensor is `s` itself; not clipped. Refuses indices that are no sums of loops, and a tensor that is
/// not touched there.
Result<Box> touched_box(const State& state, const Stage& s, const std::string& axis, const Stage& tensor, bool write);

/// What lies in both boxes.
Box intersection(const Box& a, const Box& b, const ir::Bounds& bounds);

}  // namespace tessera::schedule
