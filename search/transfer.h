// What similar tasks have learned: programs of the same structure in another shape share sketches, and
// their best decisions are a good start (transfer tuning; Gibson and Cano, PACT 2022).
#pragma once

#include <string>
#include <vector>

#include "search/task.h"
#include "search/space.h"

namespace tessera::search {

struct Suggestion {
  std::string sketch;
  Decisions decisions;
  bool operator==(const Suggestion&) const = default;
};

/// Equal for programs that differ in extents only: names, types and ranks of stages, which operands are
/// constant.
std::string family_of(const dsl::ComputeDag& dag);
/// Sum over the extents of all stages of |log2 of their ratio|, for programs of one family.
double shape_distance(const dsl::ComputeDag& a, const dsl::ComputeDag& b);

/// The fastest points of the nearest tasks of `task`'s family in the records (its own ones left out), for
/// the same number of threads and vector length; at most `most`, nearest tasks first, two a task.
std::vector<Suggestion> suggestions(const std::vector<tuning_logs::Record>& records, const Task& task, std::size_t most);

}  // namespace tessera::search
