// Scans in a State: which stages take part in a step, and what the order of the steps leaves free.
//
// The loops that the stepped dimension is made of run one after the other, outermost first. Dimensions whose
// elements never meet may run anywhere and at once; the others stand inside the steps, and so do the stages
// of the step: a row is complete before the next one reads it.
#pragma once

#include "schedule/state.h"

namespace tessera::schedule {

/// The scan in whose step `s` takes part (s reads its earlier rows, or what such a stage computes) and comes
/// before it; nullptr for all others, the scan itself included.
const Stage* scan_around(const State& state, const Stage& s);
/// Stages of the step that are not inlined, producers first, the scan last.
std::vector<const Stage*> step_of(const State& state, const Stage& scan);
/// The names of those before the scan, consumers first.
std::vector<std::string> step_parts(const State& state, const Stage& scan);
/// For every dimension of the scan whether its elements never meet; false for the stepped one.
std::vector<bool> independent_dimensions(const State& state, const Stage& scan);
/// Data axes that threads may share out: of a scan those along which it does not step.
std::vector<std::string> axes_beside_steps(const Stage& s);
/// Position of the innermost loop that steps; the stages of the step stand inside of it.
int innermost_step(const Stage& scan);
/// Puts a stage that a step has made from `model` where that one is computed, when it takes part in a scan.
void place_in_step(State& state, const std::string& stage, const Stage& model);
/// The box of a scan that has the rows of `box`: all rows before them too, and whole rows where elements meet.
Box with_earlier_rows(const State& state, const Stage& scan, Box box);

/// Refuses loops in an order, or of a kind, that breaks the recurrence, and stages of a step outside of it.
Status check_scan(const State& state, const Stage& s);

}  // namespace tessera::schedule
