#pragma once

#include <string>
#include <vector>

#include "schedule/plan.h"
#include "schedule/state.h"

namespace tessera::schedule {

/// Splits two loops and puts the inner pieces together: two splits and a reorder in one step.
///
///   for i: for j: ...   ->   for i0: for j0: for i1: for j1: ...          tile i by 4, j by 8
///
/// `into` names i0, j0, i1, j1. Refuses what split and reorder refuse.
struct Tile {
  static constexpr const char* kName = "tile";
  std::string stage;
  std::vector<std::string> axes;
  std::vector<std::string> into;
  std::vector<Param> factors;
  ir::Tail tail = ir::Tail::kPartition;
  static constexpr auto fields() {
    return std::tuple{field("stage", &Tile::stage), field("axes", &Tile::axes), field("into",
                          &Tile::into), field("factors", &Tile::factors), defaulted("tail",
                          &Tile::tail)};
  }
  Result<State> apply(const State& state) const;
  bool operator==(const Tile&) const = default;
};

}  // namespace tessera::schedule
