#include "schedule/summary_template.h"

#include "schedule/detail/nest_point.h"
#include "schedule/summary.h"

namespace tessera::schedule {

Result<SummaryTemplate> SummaryTemplate::make(const State& initial, const StepList& steps,
                                              const std::vector<std::string>& holes,
                                              std::span<const std::vector<std::int64_t>> probes) {
  if (probes.empty()) return refuse("no probe to build the summary of a sketch from");
  SummaryTemplate out;
  TESSERA_TRY(shape, detail::NestShape::make(initial, steps, holes, probes[0]));
  out.shape_ = std::move(shape);
  ir::NestSummary quick;
  int told = 0;
  for (const std::vector<std::int64_t>& probe : probes) {
    std::map<std::string, std::int64_t> values;
    for (std::size_t i = 0; i < holes.size(); ++i) values[holes[i]] = probe[i];
    TESSERA_TRY(filled, fill_holes(steps, values));
    TESSERA_TRY(state, replay(initial, filled));
    TESSERA_TRY(slow, summarize(state));
    if (!out.evaluate(probe, quick)) continue;
    ++told;
    if (quick != slow) return refuse("the summary of a probe differs from that of its state");
  }
  if (told == 0) return refuse("no probe is told: its sums are too long");
  return out;
}

bool SummaryTemplate::evaluate(std::span<const std::int64_t> values, ir::NestSummary& out) const {
  thread_local detail::NestPoint point;
  return values.size() == shape_->holes && point.summarize(*shape_, values, out);
}

}  // namespace tessera::schedule
