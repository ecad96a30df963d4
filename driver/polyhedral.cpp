#include "driver/polyhedral.h"

#include <algorithm>

#include "driver/compile.h"
#include "polyhedral/scop.h"
#include "support/nearest.h"

namespace tessera::driver {

namespace {

Result<PolyhedralPlan> planned(const dsl::ComputeDag& dag, polyhedral::Alignment nests, schedule::PolyhedralDecisions decisions, const ir::Target& target,
                               const polyhedral::CpuStepsOptions& options) {
  if (target.kind != ir::TargetKind::kCpu) return refuse("the polyhedral path plans for CPUs, not for '", target.text(), "'");
  TESSERA_TRY(plan, polyhedral::cpu_steps(dag, nests, target, options, decisions.sizes));
  decisions.sizes = plan.numbers;
  return PolyhedralPlan{std::move(decisions), std::move(nests), std::move(plan)};
}

}  // namespace

const std::vector<std::string>& polyhedral_strategies() {
  static const std::vector<std::string> kNames{to_string(polyhedral::Grouping::kMax), to_string(polyhedral::Grouping::kKeepParallel), to_string(polyhedral::Grouping::kMin)};
  return kNames;
}

Result<PolyhedralPlan> polyhedral_plan(const dsl::ComputeDag& dag, const ir::Target& target, int threads, const std::string& strategy) {
  const std::vector<std::string>& known = polyhedral_strategies();
  const auto at = std::find(known.begin(), known.end(), strategy);
  if (at == known.end()) return refuse("there is no strategy '", strategy, "'; known are ", joined(known));
  TESSERA_TRY(equations, polyhedral::equations_of(dag));
  TESSERA_TRY(scop, polyhedral::Scop::of(equations));
  polyhedral::AlignOptions options;
  options.grouping = static_cast<polyhedral::Grouping>(at - known.begin());
  TESSERA_TRY(nests, polyhedral::align(scop, options));
  schedule::PolyhedralDecisions decisions = polyhedral::decisions_of(dag, nests, strategy, target.text());
  polyhedral::CpuStepsOptions steps;
  if (threads == 1) steps.parallelism = 1;
  return planned(dag, std::move(nests), std::move(decisions), target, steps);
}

Result<PolyhedralPlan> polyhedral_plan(const dsl::ComputeDag& dag, const schedule::PolyhedralDecisions& decisions) {
  TESSERA_TRY(nests, polyhedral::alignment_of(dag, decisions));
  TESSERA_TRY(target, ir::parse_target(decisions.target));
  return planned(dag, std::move(nests), decisions, resolve_target(target.text()), {});
}

Result<schedule::StepList> steps_of(const dsl::ComputeDag& dag, const schedule::Plan& plan) {
  if (const auto* steps = std::get_if<schedule::StepList>(&plan)) return *steps;
  TESSERA_TRY(made, polyhedral_plan(dag, std::get<schedule::PolyhedralDecisions>(plan)));
  return std::move(made.plan.steps);
}

}  // namespace tessera::driver
