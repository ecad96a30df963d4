#include "driver/fuzz/detail/choices.h"

#include <algorithm>

#include "schedule/state.h"

namespace tessera::driver::detail {

using namespace tessera::schedule;  // NOLINT: states and stages throughout
using Names = std::vector<std::string>;

const Stage* Choices::stage(bool inputs) {
  std::vector<const Stage*> out;
  for (std::size_t i = 0; i < state_.size(); ++i) {
    const Stage& s = state_.stage(i);
    if (s.placement != schedule::Placement::kInline && (inputs || !s.is_input())) out.push_back(&s);
  }
  return out.empty() ? nullptr : rng_.pick(out);
}

const Stage* Choices::inner_stage() {
  for (int i = 0; i < 6; ++i) {
    const Stage* s = stage();
    if (s != nullptr && !s->is_output) return s;
  }
  return nullptr;
}

std::string Choices::fresh(const std::string& hint) {
  for (int i = 0;; ++i) {
    const std::string name = hint + std::to_string(i);
    if (std::find(used_.begin(), used_.end(), name) != used_.end() || state_.name_taken(name)) continue;
    bool taken = false;
    for (std::size_t q = 0; q < state_.size(); ++q) taken |= state_.stage(q).find_axis(name) != nullptr;
    if (taken) continue;
    used_.push_back(name);
    return name;
  }
}

std::int64_t Choices::factor(std::int64_t n) {
  if (rng_.chance(0.06)) return 1;
  if (rng_.chance(0.1)) return n + rng_.between(1, 5);
  if (rng_.chance(0.3)) {
    std::vector<std::int64_t> divisors;
    for (std::int64_t d = 2; d <= n; ++d) {
      if (n % d == 0) divisors.push_back(d);
    }
    if (!divisors.empty()) return rng_.pick(divisors);
  }
  if (rng_.chance(0.3)) return std::int64_t{1} << rng_.between(1, 5);
  return rng_.between(2, std::max<std::int64_t>(2, std::min<std::int64_t>(n, 17)));
}

ir::Tail Choices::tail() {
  const std::int64_t r = rng_.below(100);
  return r < 55 ? ir::Tail::kPartition : r < 85 ? ir::Tail::kGuard : ir::Tail::kPad;
}

Names Choices::some_readers(const Stage& s) {
  Names out;
  for (const Stage* q : state_.consumers(s)) {
    if (rng_.chance(0.7)) out.push_back(q->name);
  }
  return rng_.chance(0.5) ? Names{} : out;
}

double work(const State& state) {
  double all = 0;
  for (std::size_t i = 0; i < state.size(); ++i) {
    const Stage& s = state.stage(i);
    if (s.is_input() || s.placement == schedule::Placement::kInline) continue;
    double runs = 1;
    for (const std::string& l : s.leaves) runs *= static_cast<double>(s.find_axis(l)->extent);
    for (const Attach& a : attach_chain(state, s)) {
      const Stage& host = *state.find(a.stage);
      for (int l = host.leaf_index(a.axis); l >= 0; --l) runs *= static_cast<double>(host.find_axis(host.leaves[static_cast<std::size_t>(l)])->extent);
    }
    all += runs;
  }
  return all;
}

void walk_on(Walk& walk, const schedule::Step& step, const schedule::State& initial, WalkStatistics& statistics) {
  auto next = apply_step(walk.state, step);
  ++(next.ok() ? statistics.applied : statistics.refused)[step_name(step)];
  if (!next.ok() || work(*next) > std::max(kMostWork, 2 * work(initial))) return;
  walk.state = std::move(*next);
  walk.steps.push_back(step);
}

}  // namespace tessera::driver::detail
