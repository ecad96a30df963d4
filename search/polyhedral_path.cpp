#include "search/polyhedral_path.h"

#include <algorithm>
#include <iterator>

#include "search/rules/sketch_builder.h"

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
    const auto plan = driver::polyhedral_plan(task.dag, task.target, task.threads, strategy);
    if (!plan.ok() && strategy == driver::polyhedral_strategies().front()) return Refusal{plan.reason()};
    if (!plan.ok()) continue;  // not in time
    PlannedSketch made = sketch_of(*plan, strategy);
    const bool again = std::any_of(out.begin(), out.end(), [&](const PlannedSketch& o) { return o.sketch.steps == made.sketch.steps && o.chosen == made.chosen; });
    if (!again) out.push_back(std::move(made));
  }
  return out;
}

std::vector<PlannedSketch> planned_sketches(const Task& task, Path path, std::vector<PlannedSketch> given) {
  if (path == Path::kSearch) return given;
  auto planned = polyhedral_sketches(task);
  if (planned.ok()) {
    std::move(planned->begin(), planned->end(), std::back_inserter(given));
    return given;
  }
  if (path == Path::kBoth) return given;
  throw UserError("the polyhedral path cannot plan '" + task.op + "': " + planned.reason() + "; --path search can", 3);
}

std::vector<Sketch> sketches_of(const Task& task, Path path, const std::vector<PlannedSketch>& planned, const std::vector<Rule>& user_rules) {
  std::vector<Sketch> out;
  if (path != Path::kPolyhedral) out = generate_sketches(task, user_rules);
  for (const PlannedSketch& p : planned) out.push_back(p.sketch);
  return out;
}

bool is_polyhedral(const std::string& sketch) { return sketch.starts_with(kPrefix); }

}  // namespace tessera::search
