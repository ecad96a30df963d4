// Checks and edits that several steps share.
#pragma once

#include <string>
#include <vector>

#include "schedule/plan.h"
#include "schedule/state.h"

namespace tessera::schedule {

/// The value of a parameter; refuses an open hole and values outside [lo, hi].
Result<std::int64_t> value_of(const Param& p, const char* what, std::int64_t lo = 1,
                              std::int64_t hi = std::int64_t{1} << 40);

/// A computed stage (no input) and one of its loops that carries no mark yet.
struct LoopRef {
  const Stage* stage;
  int index;
};
Result<LoopRef> require_plain_loop(const State& state, const std::string& stage, const std::string& axis,
                                   const char* verb);
Result<const Stage*> require_compute(const State& state, const std::string& stage, const char* verb);
/// A name of 1 to 64 letters, digits, '_' and '.' that `s` does not use yet.
Status require_new_axis(const Stage& s, const std::string& name);
Status require_new_stage(const State& state, const std::string& name);

/// Stages computed or stored at a loop of `stage` follow it to another.
void move_attachments(State& state, const std::string& stage, const std::string& from, const std::string& to);
/// Stages that are computed at `axis` of `stage` or at a loop inside it.
std::vector<std::string> computed_inside(const State& state, const Stage& s, int leaf);

/// Splits one loop in two without any check; `guarded` as in Relation.
void split_axis(Stage& s, const std::string& axis, const std::string& outer, const std::string& inner,
                std::int64_t factor, ir::Tail tail);
/// Marks splits whose inner piece does not stand inside its outer one as guarded.
void guard_reordered(Stage& s);
/// The loop count of `axis` becomes independent of other loops (fused loops must be rectangular).
void make_rectangular(Stage& s, const std::string& axis);

/// Refreshes and returns the state, or the refusal.
Result<State> finish_step(State state);

}  // namespace tessera::schedule
