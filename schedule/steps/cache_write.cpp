#include "schedule/steps/cache_write.h"

#include "ir/rewrite.h"
#include "schedule/scan.h"
#include "schedule/steps/common.h"

namespace tessera::schedule {

Result<State> CacheWrite::apply(const State& state) const {
  TESSERA_TRY(s, require_compute(state, stage, "cache_write"));
  TESSERA_TRY_DONE(require_new_stage(state, into));
  if (s->is_scan()) return refuse("stage '", stage, "' is a scan: its steps read the rows where they are stored; cache_read it to have a copy");
  const Stage* scan = scan_around(state, *s);
  const bool untouched = s->placement == Placement::kRoot || (scan != nullptr && s->at == Attach{scan->name, scan->leaves[static_cast<std::size_t>(innermost_step(*scan))]});
  if (!s->relations.empty() || !untouched || !computed_inside(state, *s, 0).empty()) {
    return refuse("stage '", stage, "' is already split, fused or placed; cache_write comes before");
  }
  for (const Axis& a : s->axes) {
    if (a.loop != ForKind::kSerial) return refuse("loop '", a.name, "' of stage '", stage, "' is already ", ir::to_string(a.loop), "; cache_write comes before");
  }
  // The computation keeps its coordinates and moves; what stays is a copy under fresh ones.
  Stage compute = *s;
  compute.name = into;
  compute.is_output = false;
  compute.scope = scope;
  compute.outputs.clear();
  for (std::size_t v = 0; v < s->outputs.size(); ++v) {
    const std::string name = s->outputs.size() == 1 ? into : into + ".v" + std::to_string(v);
    compute.outputs.push_back(ir::Buffer::fresh(name, s->outputs[v]->dtype, s->outputs[v]->shape));
  }
  // How the stage's own buffer is laid out and written stays with it; what its loops bring near moves.
  compute.streaming = false;
  compute.in_last_block = false;
  compute.layout.clear();
  compute.alignments.clear();
  compute.swizzle = 0;
  for (Axis& a : compute.axes) a.var = Var::fresh(a.name);
  State next = state;
  Stage& copy = next.edit(stage);
  copy.roots.clear();
  copy.axes.clear();
  copy.leaves.clear();
  copy.body.clear();
  copy.init_axis.clear();
  copy.prefetches.clear();
  Exprs index;
  for (const RootAxis& r : compute.roots) {
    if (r.kind != AxisKind::kData) continue;
    const Var coordinate = Var::fresh(r.axis);
    copy.roots.push_back({r.axis, coordinate, AxisKind::kData, r.extent, false});
    copy.axes.push_back({r.axis, Var::fresh(r.axis), AxisKind::kData, r.extent, ForKind::kSerial, false, {}});
    copy.leaves.push_back(r.axis);
    index.push_back(coordinate);
  }
  for (const Buffer& b : compute.outputs) copy.body.push_back(b.load(index));
  next.insert(static_cast<std::size_t>(state.index_of(stage)), std::move(compute));
  return finish_step(std::move(next));
}

}  // namespace tessera::schedule
