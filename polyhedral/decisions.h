// The polyhedral path's plan as data, both ways: what `align` finds is written down as decisions, and decisions, from
// a log or a person's hand, become shared loops again without looking at dependences. A wrong hand makes a
// plan slow, or one that a step refuses; the verifier judges what is left.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "dsl/dag.h"
#include "polyhedral/align.h"
#include "schedule/step.h"

namespace tessera::polyhedral {

/// A number of a plan that a search may choose again.
struct OpenSize {
  std::string name;
  std::int64_t chosen = 1;
  std::vector<std::int64_t> domain;  // ascending; `chosen` is among them
};

/// weight * product of the named open sizes <= at_most.
struct SizeBound {
  std::string reason;
  std::int64_t weight = 1;
  std::vector<std::string> sizes;
  std::int64_t at_most = 0;
};

/// What shared loops become: a plan, and which of its numbers can be chosen again.
struct PlannedSteps {
  schedule::StepList steps;
  /// What could not be done as it should and why, a line each; a stage that has no place in its nest stays on its own.
  std::vector<std::string> refused;
  /// Every number in the steps, by name: decided so, the same steps come again.
  std::map<std::string, std::int64_t> numbers;

  // The same steps for other numbers: every choice within the domains that keeps the bounds replays.
  schedule::StepList open_steps;  // with holes
  std::vector<OpenSize> sizes;    // of the holes
  std::vector<SizeBound> bounds;
};

/// Without sizes.
///
///   nest Y: n 1, y 56, x 56        {"shared": ["n", "y", "x"], "stages": [{"stage": "P", "along": ["n", "~", "~"]},
///     P  n, ~y, ~x            ->                                          {"stage": "Y", "along": ["n", "y", "x"]}]}
///     Y  n, y, x
schedule::PolyhedralDecisions decisions_of(const dsl::ComputeDag& dag, const Alignment& alignment, const std::string& strategy, const std::string& target);

/// Refuses decisions about another program: a stage that it has not, or that is missing or stands twice; an axis
/// that its stage has not, or that stands twice; a stage that is computed before what it reads.
Result<Alignment> alignment_of(const dsl::ComputeDag& dag, const schedule::PolyhedralDecisions& decisions);

}  // namespace tessera::polyhedral
