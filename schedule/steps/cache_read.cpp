#include "schedule/steps/cache_read.h"

#include <algorithm>

#include "ir/rewrite.h"
#include "schedule/scan.h"
#include "schedule/steps/common.h"

namespace tessera::schedule {

Result<State> CacheRead::apply(const State& state) const {
  TESSERA_TRY(source, require_stage(state, stage));
  TESSERA_TRY_DONE(require_new_stage(state, into));
  if (source->outputs.size() > 1) return refuse("stage '", stage, "' has several outputs; cache_read copies one tensor");
  std::vector<std::string> wanted = readers;
  std::vector<std::string> all;
  for (const Stage* q : state.consumers(*source)) all.push_back(q->name);
  if (wanted.empty()) wanted = all;
  if (wanted.empty()) return refuse("no stage reads '", stage, "'");
  for (const std::string& r : wanted) {
    TESSERA_TRY_DONE(require_stage(state, r).ok() ? Status(Done{}) : Status(require_stage(state, r).refusal()));
    const bool reads = std::find(all.begin(), all.end(), r) != all.end();
    if (!reads && source->is_scan() && (r == stage || scan_around(state, *state.find(r)) == source)) {
      return refuse("stage '", r, "' reads the rows of scan '", stage, "' that are there when it steps; a copy would have to be made at every step");
    }
    if (!reads) return refuse("stage '", r, "' does not read '", stage, "'");
  }
  Stage copy;
  copy.name = into;
  copy.scope = scope;
  const Buffer& original = source->outputs[0];
  copy.outputs = {ir::Buffer::fresh(into, original->dtype, original->shape)};
  Exprs index;
  for (const RootAxis& r : source->roots) {
    if (r.kind != AxisKind::kData) continue;
    const Var coordinate = Var::fresh(r.axis);
    copy.roots.push_back({r.axis, coordinate, AxisKind::kData, r.extent, false});
    copy.axes.push_back({r.axis, Var::fresh(r.axis), AxisKind::kData, r.extent, ForKind::kSerial, false, {}});
    copy.leaves.push_back(r.axis);
    index.push_back(coordinate);
  }
  copy.body = {original.load(std::move(index))};
  State next = state;
  const std::map<std::uint64_t, Buffer> moved{{original->id, copy.outputs[0]}};
  for (const std::string& r : wanted) {
    Stage& reader = next.edit(r);
    for (Expr& body : reader.body) body = ir::replace_buffers(body, moved);
    if (reader.code) std::replace(reader.code->reads.begin(), reader.code->reads.end(), original, moved.at(original->id));
  }
  next.insert(static_cast<std::size_t>(state.index_of(stage)) + 1, std::move(copy));
  place_in_step(next, into, *source);
  return finish_step(std::move(next));
}

}  // namespace tessera::schedule
