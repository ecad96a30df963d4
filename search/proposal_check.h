// Holds what the search proposes against a checker that knows nothing of sketches: the steps themselves,
// the limits of the target, and (for some) lowering.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "search/task.h"

namespace tessera::search {

struct ProposalCheck {
  std::int64_t proposals = 0, lowered = 0;
  std::vector<std::string> failures;  // sketch, decisions and reason, at most ten
  std::int64_t failed = 0;

  ProposalCheck& operator+=(const ProposalCheck& o);
};

/// Draws `count` points of the task's sketches, a third each fresh, mutated and crossed, replays them and
/// checks their register tiles and scratch memory; lowers every `count / lowered`-th one.
ProposalCheck check_proposals(const Task& task, std::int64_t count, std::int64_t lowered, std::uint64_t seed);

}  // namespace tessera::search
