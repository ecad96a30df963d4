#pragma once

#include <string>

#include "schedule/plan.h"
#include "schedule/state.h"

namespace tessera::schedule {

/// Widens the stride of a dimension of a stage's buffer until stride % factor == offset, in elements.
///
///   B: f32[64, 512], stride of k 512   ->   stride of k 528               align k, factor 32, offset 16
///
/// Rows at a power of two apart share the same few sets of a cache; an odd number of lines between them
/// does not. The elements in between are never touched. Where the dimension is cut into blocks, its
/// outermost piece is widened. Refuses: inputs and outputs (their layout is the caller's), register
/// tiles, the innermost dimension, an offset that is not below the factor.
struct StorageAlign {
  static constexpr const char* kName = "storage_align";
  std::string stage;
  std::string axis;
  Param factor;
  Param offset{0};
  static constexpr auto fields() {
    return std::tuple{field("stage", &StorageAlign::stage), field("axis", &StorageAlign::axis),
                      field("factor", &StorageAlign::factor), defaulted("offset", &StorageAlign::offset)};
  }
  Result<State> apply(const State& state) const;
  bool operator==(const StorageAlign&) const = default;
};

}  // namespace tessera::schedule
