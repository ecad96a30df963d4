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

/// The data axes of a stage as one loop over threads, and what is left of it outside.
bool share_row(PlanDraft& d, const std::string& name, const std::vector<std::string>& axes) {
  const std::string f = axes.size() == 1 ? axes[0] : "f";
  if (axes.size() > 1 && !d.step(schedule::Fuse{name, axes, f})) return false;
  const std::int64_t threads = std::min(kThreads, d.state.find(name)->find_axis(f)->extent);
  return d.step(schedule::Split{name, f, {f + ".0", f + ".x"}, {threads}, ir::Tail::kPartition}) && d.step(schedule::Bind{name, f + ".x", ir::ForKind::kThreadX});
}

/// A scan whose elements meet: a block for what never meets, threads for a row, the stages of a step in shared memory.
bool share_out_scan(PlanDraft& draft, const std::string& name) {
  PlanDraft d = draft;
  const schedule::Stage& scan = *d.state.find(name);
  const std::string step = scan.step_axis;
  const std::vector<bool> independent = schedule::independent_dimensions(d.state, scan);
  const std::vector<std::string> parts = schedule::step_parts(d.state, scan);
  std::vector<std::string> blocks, row;
  for (std::size_t i = 0; i < independent.size(); ++i) {
    const std::string axis = scan.data_axes()[i];
    if (axis != step) (independent[i] ? blocks : row).push_back(axis);
  }
  if (row.empty()) return false;
  std::vector<std::string> order = blocks;
  order.push_back(step);
  order.insert(order.end(), row.begin(), row.end());
  if (!d.step(schedule::Reorder{name, order})) return false;
  if (blocks.size() > 1 && !d.step(schedule::Fuse{name, blocks, "block"})) return false;
  if (!blocks.empty() && !d.step(schedule::Bind{name, blocks.size() > 1 ? "block" : blocks[0], ir::ForKind::kBlockX})) return false;
  for (const std::string& p : parts) {
    if (!d.step(schedule::ComputeAt{p, name, step}) || !d.step(schedule::SetScope{p, ir::Scope::kShared}) || !share_row(d, p, d.state.find(p)->data_axes())) return false;
  }
  if (!share_row(d, name, row)) return false;
  draft = std::move(d);
  return true;
}

}  // namespace

schedule::StepList default_cuda_plan(const dsl::ComputeDag& dag) {
  PlanDraft draft = empty_draft(dag);
  draft.inline_cheap(dag);
  for (const dsl::Stage& d : dag.stages()) {
    const schedule::Stage& s = *draft.state.find(d.name);
    if (d.is_input() || d.code || s.placement != schedule::Placement::kRoot || schedule::axes_beside_steps(s).empty()) continue;
    if (s.is_scan() && share_out_scan(draft, d.name)) continue;
    const bool sums = s.is_reduction() && s.outputs.size() == 1;
    if (sums && share_out(draft, d.name, true)) continue;
    share_out(draft, d.name, false);  // else one thread computes it
  }
  return std::move(draft.steps);
}

}  // namespace tessera::driver::detail
