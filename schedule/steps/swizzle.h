#pragma once

#include <string>

#include "schedule/plan.h"
#include "schedule/state.h"

namespace tessera::schedule {

/// Moves the chunks of `chunk` elements in the rows of a shared tile: each row has its own order, so that the same
/// chunk of neighbouring rows lies in different banks. The place of a chunk is XORed with the number of its row, of
/// as many bits as 128 bytes have chunks; short rows, several of which make 128 bytes, with the number of those.
///
///   A.s: f16[64, 64], chunks of 8      element [i, k] at i * 64 + (k / 8 ^ i % 8) * 8 + k % 8
///   A.s: f16[64, 32], chunks of 8      element [i, k] at i * 32 + (k / 8 ^ i / 2 % 4) * 8 + k % 8
///
/// Elements of a chunk stay neighbours, and no memory is added: what storage_align does with bytes between rows.
/// Refuses: stages that are not in shared memory, chunks that are no power of two or longer than 64 bytes, rows
/// that are no power of two of chunks, and strides that storage_align has widened.
struct Swizzle {
  static constexpr const char* kName = "swizzle";
  std::string stage;
  Param chunk;
  static constexpr auto fields() { return std::tuple{field("stage", &Swizzle::stage), field("chunk", &Swizzle::chunk)}; }
  Result<State> apply(const State& state) const;
  bool operator==(const Swizzle&) const = default;
};

}  // namespace tessera::schedule
