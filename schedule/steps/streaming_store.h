#pragma once

#include <string>

#include "schedule/plan.h"
#include "schedule/state.h"

namespace tessera::schedule {

/// Writes the results of a stage past the caches, for what nobody reads soon. A hint: whole vectors at
/// multiples of their size are streamed, everything else is stored as ever. The buffer then begins on a
/// cache line (an output's contract says so to the caller).
///
/// Refuses: a reduction (it reads back what it has written; cache_write it), a stage inside a loop of
/// another, register tiles.
struct StreamingStore {
  static constexpr const char* kName = "streaming_store";
  std::string stage;
  static constexpr auto fields() { return std::tuple{field("stage", &StreamingStore::stage)}; }
  Result<State> apply(const State& state) const;
  bool operator==(const StreamingStore&) const = default;
};

}  // namespace tessera::schedule
