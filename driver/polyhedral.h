// The polyhedral path in one call: a program's nests, found by integer sets, and the steps that make them.
#pragma once

#include <string>
#include <vector>

#include "ir/target.h"
#include "polyhedral/decisions.h"

namespace tessera::driver {

struct PolyhedralPlan {
  schedule::PolyhedralDecisions decisions;  // with all numbers: the same steps come again from them alone
  polyhedral::Alignment nests;
  polyhedral::PlannedSteps plan;
};

/// How stages can be grouped: "max", "keep-parallel", "min" (polyhedral/align.h), "ilp" (ISL's scheduler, polyhedral/ilp.h).
const std::vector<std::string>& polyhedral_strategies();

/// Nothing is measured. Refuses a program with externs, which have no dependences to go by, and what ISL does not
/// finish in time.
Result<PolyhedralPlan> polyhedral_plan(const dsl::ComputeDag& dag, const ir::Target& target, int threads, const std::string& strategy);
/// The plan of decisions, which may leave out numbers; refuses those about another program.
Result<PolyhedralPlan> polyhedral_plan(const dsl::ComputeDag& dag, const schedule::PolyhedralDecisions& decisions);

/// The steps of any plan.
Result<schedule::StepList> steps_of(const dsl::ComputeDag& dag, const schedule::Plan& plan);

}  // namespace tessera::driver
