// Elementwise stages disappear into their readers, except into a reduction that reads their elements
// many times and where they cost more than a product: those are computed once a tile, into shared memory
// (cuda_tile), or once a row (cuda_rows).
#include "schedule/costly.h"
#include "search/rules/cuda/rules.h"

namespace tessera::search {

Verdict cuda_inline_meets(const SketchBuilder& b, const std::string& name) {
  const schedule::Stage& s = b.stage(name);
  if (s.is_output || s.is_reduction() || s.is_scan() || s.is_extern() || s.outputs.size() > 1) return Verdict::kPass;
  const auto readers = b.state().consumers(s);
  if (readers.empty()) return Verdict::kPass;
  const double own = volume(s, schedule::AxisKind::kData);
  for (const schedule::Stage* r : readers) {
    const double uses = volume(*r, schedule::AxisKind::kData) * volume(*r, schedule::AxisKind::kReduce);
    if (schedule::is_costly(s, r->is_reduction()) && (uses > 1.5 * own || readers.size() > 1)) return Verdict::kPass;
  }
  return Verdict::kApplyAndSkipRest;
}

std::vector<SketchBuilder> cuda_inline_expand(const SketchBuilder& b, const std::string& name) {
  SketchBuilder next = b;
  if (!next.step(schedule::ComputeInline{name}).ok()) return {};
  next.finish(name);
  return {std::move(next)};
}

}  // namespace tessera::search
