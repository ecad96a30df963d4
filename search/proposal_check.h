// Holds what the search proposes against a checker that knows nothing of sketches: the steps themselves,
// the limits of the target, and (for some) lowering and compiling.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "search/task.h"

namespace tessera::search {

/// How many points are drawn, how many of them are lowered and held against what their target can launch, and
/// how many of those are compiled.
struct ProposalCount {
  std::int64_t proposals = 0, lowered = 0, compiled = 0;
};

struct ProposalCheck {
  std::int64_t proposals = 0, lowered = 0, failed = 0;
  std::int64_t compiled = 0, accepted = 0;  // by the compiler and its report
  std::vector<std::string> failures;        // sketch, decisions and reason, at most ten
  struct OfSketch {
    std::int64_t proposals = 0, failed = 0, compiled = 0, accepted = 0;
  };
  std::map<std::string, OfSketch> sketches;     // by kind, whatever the stages are called: "tile.epilogue"
  std::map<std::string, std::int64_t> reasons;  // of what failed or was not accepted, without names and numbers

  ProposalCheck& operator+=(const ProposalCheck& o);
};

/// "conv.tile.epilogue" -> "tile.epilogue": a sketch without the names of its stages.
std::string sketch_kind(const std::string& sketch);

/// Draws points of the task's sketches, all sketches in turn, a third each fresh, mutated and crossed, replays
/// them and checks their register tiles and scratch memory; lowers and compiles every so-manyth one.
ProposalCheck check_proposals(const Task& task, const ProposalCount& count, std::uint64_t seed);

}  // namespace tessera::search
