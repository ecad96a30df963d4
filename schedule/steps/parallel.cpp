#include "schedule/steps/parallel.h"

#include "schedule/steps/common.h"

namespace tessera::schedule {

namespace {

/// Refuses when `s` has a parallel or vector loop among its first `count` loops.
Status check_not_inside(const Stage& s, int count, const std::string& axis) {
  for (int i = 0; i < count; ++i) {
    const Axis& a = *s.find_axis(s.leaves[static_cast<std::size_t>(i)]);
    if (a.loop == ForKind::kParallel || a.loop == ForKind::kVector) {
      return refuse("loop '", axis, "' runs inside '", a.name, "' of stage '", s.name, "', which is ",
                    ir::to_string(a.loop), " already; parallel loops do not nest");
    }
  }
  return Done{};
}

}  // namespace

Result<State> Parallel::apply(const State& state) const {
  TESSERA_TRY(ref, require_plain_loop(state, stage, axis, "parallel"));
  const Stage& s = *ref.stage;
  if (s.find_axis(axis)->kind == AxisKind::kReduce) {
    return refuse("loop '", axis, "' of stage '", stage,
                  "' is a reduction: its iterations write the same element; parallelise a data loop or rfactor it");
  }
  TESSERA_TRY_DONE(check_not_inside(s, ref.index, axis));
  for (const Attach& a : attach_chain(state, s)) {
    const Stage& host = *state.find(a.stage);
    TESSERA_TRY_DONE(check_not_inside(host, host.leaf_index(a.axis) + 1, axis));
  }
  for (int i = ref.index + 1; i < static_cast<int>(s.leaves.size()); ++i) {
    const Axis& inner = *s.find_axis(s.leaves[static_cast<std::size_t>(i)]);
    if (inner.loop == ForKind::kParallel) {
      return refuse("loop '", inner.name, "' of stage '", stage, "' inside '", axis, "' is parallel already; parallel loops do not nest");
    }
  }
  for (std::size_t i = 0; i < state.size(); ++i) {
    const Stage& q = state.stage(i);
    bool inside = false;
    for (const Attach& a : attach_chain(state, q)) inside |= a.stage == stage && s.leaf_index(a.axis) >= ref.index;
    if (!inside) continue;
    for (const Axis& a : q.axes) {
      if (a.loop == ForKind::kParallel) {
        return refuse("stage '", q.name, "' inside loop '", axis, "' has the parallel loop '", a.name, "'; parallel loops do not nest");
      }
    }
    const bool kept = !q.store_at || (q.store_at->stage == stage && s.leaf_index(q.store_at->axis) >= ref.index);
    bool stored_inside = kept;
    for (const Attach& a : attach_chain(state, q)) {
      if (q.store_at && *q.store_at == a && a.stage != stage) stored_inside = true;
    }
    if (!stored_inside) {
      return refuse("stage '", q.name, "' is computed inside loop '", axis, "' but stored outside it; parallel iterations would share its buffer");
    }
  }
  State next = state;
  next.edit(stage).find_axis(axis)->loop = ForKind::kParallel;
  return finish_step(std::move(next));
}

}  // namespace tessera::schedule
