#include "schedule/steps/rolling_window.h"

#include "ir/simplify.h"
#include "schedule/geometry.h"
#include "schedule/rolling.h"
#include "schedule/steps/common.h"

namespace tessera::schedule {

Result<State> RollingWindow::apply(const State& state) const {
  TESSERA_TRY(s, require_compute(state, stage, "rolling_window"));
  if (s->placement != Placement::kAt) {
    return refuse("stage '", stage, "' is computed at root; compute it at the loop along which it rolls first");
  }
  if (s->store_at && !(*s->store_at == s->at)) {
    return refuse("stage '", stage, "' is stored at loop '", s->store_at->axis, "' of '", s->store_at->stage,
                  "'; a rolling window is kept around loop '", s->at.axis, "', compute it there again first");
  }
  TESSERA_TRY(d, rolling_dimension(state, *s, s->region));
  // What two iterations share: the end of one past the beginning of the next.
  const Axis& loop = *state.find(s->at.stage)->find_axis(s->at.axis);
  const Expr end = ir::substitute(s->region.lo[d] + s->region.extent[d], loop.var, loop.var - 1);
  const ir::Bounds bounds = loop_bounds(state);
  if (ir::range_of(ir::simplify(end - s->region.lo[d], bounds), bounds).hi <= 0) {
    return refuse("the regions of stage '", stage, "' in iterations of loop '", loop.name, "' of '", s->at.stage,
                  "' do not overlap; there is nothing to keep");
  }
  State next = state;
  Stage& edit = next.edit(stage);
  edit.store_at.reset();
  edit.rolling = true;
  return finish_step(std::move(next));
}

}  // namespace tessera::schedule
