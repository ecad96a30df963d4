#include "driver/polyhedral.h"

#include <algorithm>

#include "driver/compile.h"
#include "driver/detail/on_large_stack.h"
#include "polyhedral/cpu_steps.h"
#include "polyhedral/cuda_steps.h"
#include "polyhedral/ilp.h"
#include "support/nearest.h"

namespace tessera::driver {

namespace {

constexpr const char* kIlp = "ilp";

Result<polyhedral::Alignment> nests_of(const polyhedral::Scop& scop, const std::string& strategy) {
  if (strategy == kIlp) {
    TESSERA_TRY(found, polyhedral::ilp_alignment(scop, {.grouping = polyhedral::Grouping::kMax}));
    return std::move(found.alignment);
  }
  const std::vector<std::string>& known = polyhedral_strategies();
  polyhedral::AlignOptions options;
  options.grouping = static_cast<polyhedral::Grouping>(std::find(known.begin(), known.end(), strategy) - known.begin());
  return polyhedral::align(scop, options);
}

Result<polyhedral::PlannedSteps> steps_for(const dsl::ComputeDag& dag, const polyhedral::Alignment& nests, const schedule::PolyhedralDecisions& decisions, const ir::Target& target, int threads) {
  if (target.kind == ir::TargetKind::kCuda) {
    if (!decisions.sizes.empty()) return refuse("decisions for CUDA take no sizes, and have '", decisions.sizes.begin()->first, "'");
    return polyhedral::cuda_steps(dag, nests, target);
  }
  polyhedral::CpuStepsOptions options;
  if (threads == 1) options.parallelism = 1;
  return polyhedral::cpu_steps(dag, nests, target, options, decisions.sizes);
}

Result<PolyhedralPlan> planned(const dsl::ComputeDag& dag, polyhedral::Alignment nests, schedule::PolyhedralDecisions decisions, const ir::Target& target, int threads) {
  TESSERA_TRY(plan, steps_for(dag, nests, decisions, target, threads));
  decisions.sizes = plan.numbers;
  return PolyhedralPlan{std::move(decisions), std::move(nests), std::move(plan)};
}

}  // namespace

const std::vector<std::string>& polyhedral_strategies() {
  static const std::vector<std::string> kNames{to_string(polyhedral::Grouping::kMax), to_string(polyhedral::Grouping::kKeepParallel), to_string(polyhedral::Grouping::kMin), kIlp};
  return kNames;
}

Result<PolyhedralPlan> polyhedral_plan(const dsl::ComputeDag& dag, const ir::Target& target, int threads, const std::string& strategy) {
  const std::vector<std::string>& known = polyhedral_strategies();
  if (std::find(known.begin(), known.end(), strategy) == known.end()) return refuse("there is no strategy '", strategy, "'; known are ", joined(known));
  return detail::on_large_stack<PolyhedralPlan>([&]() -> Result<PolyhedralPlan> {
    TESSERA_TRY(equations, polyhedral::equations_of(dag));
    TESSERA_TRY(scop, polyhedral::Scop::of(equations));
    TESSERA_TRY(nests, nests_of(scop, strategy));
    schedule::PolyhedralDecisions decisions = polyhedral::decisions_of(dag, nests, strategy, target.text());
    return planned(dag, std::move(nests), std::move(decisions), target, threads);
  });
}

Result<PolyhedralPlan> polyhedral_plan(const dsl::ComputeDag& dag, const schedule::PolyhedralDecisions& decisions) {
  return detail::on_large_stack<PolyhedralPlan>([&]() -> Result<PolyhedralPlan> {
    TESSERA_TRY(nests, polyhedral::alignment_of(dag, decisions));
    TESSERA_TRY(target, ir::parse_target(decisions.target));
    return planned(dag, std::move(nests), decisions, resolve_target(target.text()), 0);
  });
}

Result<schedule::StepList> steps_of(const dsl::ComputeDag& dag, const schedule::Plan& plan) {
  if (const auto* steps = std::get_if<schedule::StepList>(&plan)) return *steps;
  TESSERA_TRY(made, polyhedral_plan(dag, std::get<schedule::PolyhedralDecisions>(plan)));
  return std::move(made.plan.steps);
}

}  // namespace tessera::driver
