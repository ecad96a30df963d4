#include <algorithm>

#include "driver/detail/default_plan.h"
#include "schedule/scan.h"

namespace tessera::driver::detail {

namespace {

/// An elementwise stage read at one place.
bool is_cheap_to_inline(const schedule::State& state, const schedule::Stage& s) {
  const auto readers = state.consumers(s);
  return !s.is_output && !s.is_reduction() && !s.is_scan() && s.outputs.size() == 1 && readers.size() == 1 && !readers[0]->is_reduction();
}

/// The last dimension in vectors, directly on the stage's own memory.
bool vectorize_stage(PlanDraft& draft, const std::string& name, int lanes) {
  const std::string last = draft.state.find(name)->data_axes().back(), outer = last + ".o", inner = last + ".v";
  if (!draft.step(schedule::Split{name, last, {outer, inner}, {lanes}, ir::Tail::kPartition})) return false;
  std::vector<std::string> order;
  for (const std::string& leaf : draft.state.find(name)->leaves) {
    if (leaf != inner) order.push_back(leaf);
  }
  order.push_back(inner);
  return draft.step(schedule::Reorder{name, order}) && draft.step(schedule::Vectorize{name, inner});
}

/// A reduction through four vector registers: ten times faster than through memory, which is what
/// makes references of large programs affordable.
bool accumulate_in_registers(PlanDraft& draft, const std::string& name, int lanes) {
  PlanDraft d = draft;
  const std::string last = d.state.find(name)->data_axes().back(), acc = name + ".acc";
  if (!d.step(schedule::CacheWrite{name, acc, ir::Scope::kGlobal})) return false;
  std::vector<std::string> order;
  for (const schedule::RootAxis& r : d.state.find(acc)->roots) {
    if (r.axis != last) order.push_back(r.axis);
  }
  order.push_back(last + ".u");
  order.push_back(last + ".v");
  const bool done = d.step(schedule::Split{name, last, {last + ".o", last + ".u", last + ".v"}, {4, lanes}, ir::Tail::kPartition}) &&
                    d.step(schedule::ComputeAt{acc, name, last + ".o"}) &&
                    d.step(schedule::SetScope{acc, ir::Scope::kRegister}) &&
                    d.step(schedule::Split{acc, last, {last + ".u", last + ".v"}, {lanes}, ir::Tail::kPartition}) &&
                    d.step(schedule::Reorder{acc, order}) && d.step(schedule::Unroll{acc, last + ".u"}) &&
                    d.step(schedule::Vectorize{acc, last + ".v"}) && d.step(schedule::Unroll{name, last + ".u"}) &&
                    d.step(schedule::Vectorize{name, last + ".v"});
  if (!done) return false;
  draft = std::move(d);
  return true;
}

}  // namespace

bool PlanDraft::step(schedule::Step s) {
  auto next = schedule::apply_step(state, s);
  if (!next.ok()) return false;
  state = std::move(*next);
  steps.push_back(std::move(s));
  return true;
}

void PlanDraft::inline_cheap(const dsl::ComputeDag& dag) {
  for (const dsl::Stage& d : dag.stages()) {
    if (!d.is_input() && is_cheap_to_inline(state, *state.find(d.name))) step(schedule::ComputeInline{d.name});
  }
}

PlanDraft empty_draft(const dsl::ComputeDag& dag) {
  return {schedule::State::initial(std::make_shared<const dsl::ComputeDag>(dag)).or_throw(), {}};
}

schedule::StepList default_cpu_plan(const dsl::ComputeDag& dag, const ir::Target& target) {
  PlanDraft draft = empty_draft(dag);
  draft.inline_cheap(dag);
  for (const dsl::Stage& d : dag.stages()) {
    const schedule::Stage& s = *draft.state.find(d.name);
    const bool placed = s.placement == schedule::Placement::kRoot || schedule::scan_around(draft.state, s) != nullptr;
    if (d.is_input() || d.code || !placed || s.data_axes().empty()) continue;
    if (s.find_axis(s.data_axes().back())->extent < 2) continue;
    const int lanes = std::min(64, target.lanes(std::max(1, s.outputs[0]->dtype.bytes())));
    const bool single = s.outputs.size() == 1;
    if (s.is_reduction() && single && accumulate_in_registers(draft, d.name, lanes)) continue;
    vectorize_stage(draft, d.name, lanes);
  }
  return std::move(draft.steps);
}

}  // namespace tessera::driver::detail
