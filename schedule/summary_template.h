// The summaries of all points of a sketch from one replay of it: what a search scores candidates by,
// tens of thousands a second. The structure of a state (stages, loops, places, accesses) is the same
// at all points; only factors and what follows from them differ, and those are computed as numbers.
#pragma once

#include <memory>
#include <span>

#include "ir/nest_summary.h"
#include "schedule/step.h"

namespace tessera::schedule {

namespace detail {
struct NestShape;
}

class SummaryTemplate {
 public:
  /// `holes` names the holes of `steps`, in the order of all values given here. Built from the first of
  /// `probes` and compared with summarize() at each of them. Refuses when one differs, when there is
  /// none, and sketches it has no numbers for (a hole in a step that changes more than numbers).
  static Result<SummaryTemplate> make(const State& initial, const StepList& steps, const std::vector<std::string>& holes,
                                      std::span<const std::vector<std::int64_t>> probes);

  /// Overwrites `out` and reuses its memory: equal to summarize(replay(fill_holes())) for every point
  /// that replays. False when it cannot tell; `out` is then meaningless. Safe on several threads.
  bool evaluate(std::span<const std::int64_t> values, ir::NestSummary& out) const;

 private:
  std::shared_ptr<const detail::NestShape> shape_;
};

}  // namespace tessera::schedule
