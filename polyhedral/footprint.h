// What structured loops touch, exactly: for every access of every statement, and every loop around it, how many
// elements one run of that loop and those inside of it touches. Counted by ISL, so slow and without models: what
// closed forms (cost_model/detail/footprint.h) are held against.
//
//   for (const StatementFootprint& s : footprints(loops, equations_of(state).or_throw()).or_throw())
//     s.accesses[0].levels[2].elements    // of its result, by the third loop and those inside
#pragma once

#include <chrono>
#include <string>
#include <vector>

#include "ir/program.h"
#include "polyhedral/equations.h"

namespace tessera::polyhedral {

/// Of one iteration of the loops outside: the one that touches most elements of the first, the middle and the
/// last, chosen for one loop after the other from outside. So a level is that of a whole tile away from borders,
/// where there is one.
struct LevelFootprint {
  std::int64_t elements = 0;      // distinct
  std::int64_t iterations = 0;    // that make the access: fewer than the loops have where a condition guards it
  std::vector<std::int64_t> box;  // extents of the smallest box around the elements, by dimension of the buffer
  bool operator==(const LevelFootprint&) const = default;
};

struct AccessFootprint {
  std::string buffer;
  bool write = false;
  bool exact = true;  // false where data choose the element: then it may be any that they can choose
  std::vector<LevelFootprint> levels;  // the l-th: loops l and those inside; the last: a single iteration
};

struct StatementFootprint {
  std::string stage;
  ir::Phase phase = ir::Phase::kWhole;
  std::vector<std::string> loops;         // outermost first; those that never run twice are left out
  std::vector<AccessFootprint> accesses;  // stores, then reads in order of appearance
};

/// In the order of launches. Refuses statements that are no instances of their equations, and what ISL does not
/// finish within the limit.
Result<std::vector<StatementFootprint>> footprints(const ir::Program& loops, const Equations& program,
                                                   std::chrono::milliseconds limit = std::chrono::seconds(10));

}  // namespace tessera::polyhedral
