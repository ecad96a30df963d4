#pragma once

#include <string>
#include <vector>

#include "schedule/plan.h"
#include "schedule/state.h"

namespace tessera::schedule {

/// Computes a stage at root in the kernel of the stage at root before it, which it reads: the block that is done
/// last runs its loops, when all others have written their part. One launch in place of two; the order of
/// adding does not depend on which block it is.
///
///   blocks: S.part = ...  |  threads: S += S.part   ->  blocks: S.part = ...; last block: threads: S += S.part
///
/// Such a kernel counts its blocks in memory of its module, so two launches of it must not overlap on a device. Refuses: stages
/// inside of loops, scans, loops over blocks, and stages that do not read what the kernel before makes.
struct FinishInLastBlock {
  static constexpr const char* kName = "finish_in_last_block";
  std::string stage;
  static constexpr auto fields() { return std::tuple{field("stage", &FinishInLastBlock::stage)}; }
  Result<State> apply(const State& state) const;
  bool operator==(const FinishInLastBlock&) const = default;
};

}  // namespace tessera::schedule
