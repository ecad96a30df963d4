#include "search/polyhedral_path.h"

#include <algorithm>

namespace tessera::search {

namespace {

constexpr const char* kPrefix = "polyhedral.";

}  // namespace

PlannedSketch sketch_of(const driver::PolyhedralPlan& p, const std::string& name) {
  std::vector<Hole> holes;
  std::vector<Constraint> constraints;
  Decisions chosen;
  for (const polyhedral::OpenSize& s : p.plan.sizes) {
    holes.push_back({s.name, s.domain});
    chosen[s.name] = s.chosen;
  }
  for (const polyhedral::SizeBound& b : p.plan.bounds) constraints.push_back({b.reason, {{b.weight, b.sizes}}, 0, b.at_most});
  return {{kPrefix + name, p.plan.open_steps, Space(std::move(holes), std::move(constraints))}, std::move(chosen)};
}

Result<std::vector<PlannedSketch>> polyhedral_sketches(const Task& task) {
  std::vector<PlannedSketch> out;
  for (const std::string& strategy : driver::polyhedral_strategies()) {
    TESSERA_TRY(plan, driver::polyhedral_plan(task.dag, task.target, task.threads, strategy));
    PlannedSketch made = sketch_of(plan, strategy);
    const bool again = std::any_of(out.begin(), out.end(), [&](const PlannedSketch& o) { return o.sketch.steps == made.sketch.steps && o.chosen == made.chosen; });
    if (!again) out.push_back(std::move(made));
  }
  return out;
}

bool is_polyhedral(const std::string& sketch) { return sketch.starts_with(kPrefix); }

}  // namespace tessera::search
