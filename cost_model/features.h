// Numbers about a program for the learned models: a row for each statement, then one row for the
// whole program with the terms of the draft. All rows have the same columns; those that do not
// concern a row are 0, and so is what is absent (an access the statement does not have), which the
// boosters treat as missing.
//
// Sizes and counts are given as sign(x) * log2(1 + |x|); ratios, classes and flags as they are.
#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <vector>

#include "cost_model/draft.h"
#include "cost_model/machine.h"
#include "ir/nest_summary.h"

namespace tessera::cost_model {

struct Features {
  std::vector<float> values;  // rows() x feature_count(), row-major; the program's row is the last
  DraftTerms terms{};         // nominal cycles (draft.h)
  std::vector<DraftTerms> parts;  // of each statement; what `terms` has beyond them is the program's own

  std::size_t rows() const;
  std::span<const float> row(std::size_t i) const;
};

/// Fills `out`, reusing its memory. A pure function of its arguments. Loops beyond the 24 innermost of
/// a statement count as repetitions, accesses beyond its first 12 are left out.
void extract(const ir::NestSummary& nest, const Machine& machine, Features& out);
Features extract(const ir::NestSummary& nest, const Machine& machine);

/// "loops.trips", "access0.bytes", "program.draft_ns", ...: a name for every column.
const std::vector<std::string>& feature_names();
std::size_t feature_count();
/// Of the names in their order: tells whether a stored model was made from the same columns.
std::uint64_t feature_hash();

}  // namespace tessera::cost_model
