#include "polyhedral/detail/scratch.h"

#include <algorithm>

namespace tessera::polyhedral::detail {

std::int64_t scratch_bytes(const schedule::State& state) {
  std::int64_t bytes = 0;
  for (std::size_t i = 0; i < state.size(); ++i) {
    const schedule::Stage& s = state.stage(i);
    if (s.placement != schedule::Placement::kAt || s.scope != ir::Scope::kGlobal) continue;
    std::int64_t elements = 1;
    for (const std::int64_t n : s.region.bound) elements *= n;
    for (const ir::Buffer& b : s.outputs) bytes += elements * b->dtype.bytes();
  }
  return bytes;
}

Status bound_tiles(PlannedSteps& plan, const schedule::State& initial) {
  const auto is_tile = [](const OpenSize& s) { return s.name.ends_with(".tile"); };
  std::map<std::string, std::int64_t> least = plan.numbers;
  SizeBound bound{"scratch memory of a thread", 1, {}, kScratchBytes};
  double growth = 1;  // from the smallest tiles to those that were chosen
  for (OpenSize& s : plan.sizes) {
    if (!is_tile(s)) continue;
    std::erase_if(s.domain, [&](std::int64_t n) { return 4 * n < s.chosen; });
    least[s.name] = s.domain.front();
    bound.sizes.push_back(s.name);
    growth *= static_cast<double>(s.chosen) / static_cast<double>(s.domain.front());
  }
  if (bound.sizes.empty()) return Done{};
  TESSERA_TRY(steps, schedule::fill_holes(plan.open_steps, least));
  TESSERA_TRY(state, schedule::replay(initial, steps));
  const std::int64_t bytes = scratch_bytes(state);
  if (static_cast<double>(bytes) * growth > static_cast<double>(kScratchBytes)) {
    for (OpenSize& s : plan.sizes) std::erase_if(s.domain, [&](std::int64_t n) { return is_tile(s) && n > s.chosen; });
    return Done{};
  }
  std::int64_t tiles = 1;
  for (const std::string& name : bound.sizes) tiles *= least[name];
  bound.weight = std::max<std::int64_t>(1, (bytes + tiles - 1) / tiles);
  plan.bounds.push_back(std::move(bound));
  return Done{};
}

}  // namespace tessera::polyhedral::detail
