#include <algorithm>

#include "driver/detail/default_plan.h"
#include "schedule/scan.h"

namespace tessera::driver::detail {

namespace {

constexpr std::int64_t kThreads = 256;

/// Elements to threads. `accumulate`: what a thread sums up stays in a register until it is done.
bool share_out(PlanDraft& draft, const std::string& name, bool accumulate) {
  PlanDraft d = draft;
  const std::string acc = name + ".acc";
  if (accumulate && !d.step(schedule::CacheWrite{name, acc})) return false;
  const std::vector<std::string> axes = schedule::axes_beside_steps(*d.state.find(name));
  const std::string f = axes.size() == 1 ? axes[0] : "f", block = f + ".b", thread = f + ".x";
  if (axes.size() > 1 && !d.step(schedule::Fuse{name, axes, f})) return false;
  const std::int64_t threads = std::min(kThreads, d.state.find(name)->find_axis(f)->extent);
  if (!d.step(schedule::Split{name, f, {block, thread}, {threads}, ir::Tail::kPartition})) return false;
  std::vector<std::string> order{block, thread};
  for (const std::string& leaf : d.state.find(name)->leaves) {
    if (leaf != block && leaf != thread) order.push_back(leaf);
  }
  bool done = d.step(schedule::Reorder{name, order}) && d.step(schedule::Bind{name, block, ir::ForKind::kBlockX}) &&
              d.step(schedule::Bind{name, thread, ir::ForKind::kThreadX});
  if (accumulate) {
    done = done && d.step(schedule::ComputeAt{acc, name, thread}) && d.step(schedule::PadBox{acc}) &&
           d.step(schedule::SetScope{acc, ir::Scope::kRegister});
  }
  if (done) draft = std::move(d);
  return done;
}

}  // namespace

schedule::StepList default_cuda_plan(const dsl::ComputeDag& dag) {
  PlanDraft draft = empty_draft(dag);
  draft.inline_cheap(dag);
  for (const dsl::Stage& d : dag.stages()) {
    const schedule::Stage& s = *draft.state.find(d.name);
    if (d.is_input() || d.code || s.placement != schedule::Placement::kRoot || schedule::axes_beside_steps(s).empty()) continue;
    const bool sums = s.is_reduction() && s.outputs.size() == 1;
    if (sums && share_out(draft, d.name, true)) continue;
    share_out(draft, d.name, false);  // else one thread computes it
  }
  return std::move(draft.steps);
}

}  // namespace tessera::driver::detail
