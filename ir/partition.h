// How far lowering cuts loops into ranges (lower/passes/partition_tails.h), for it and for those who
// foretell what it does.
#pragma once

#include <cstddef>
#include <optional>
#include <span>

namespace tessera::ir {

/// At most so many copies of a statement are made.
inline constexpr int kMaxCopies = 24;

/// The piece that gets a copy of its own where there is no room for one of each: the widest, the first
/// of those equally wide, if it is at least half of all. `begins`: of the pieces, in order; `end`: past the last.
template <class T>
std::optional<std::size_t> widest_piece(std::span<const T> begins, T end) {
  std::size_t widest = 0;
  const auto width = [&](std::size_t k) { return (k + 1 < begins.size() ? begins[k + 1] : end) - begins[k]; };
  for (std::size_t k = 1; k < begins.size(); ++k) {
    if (width(k) > width(widest)) widest = k;
  }
  if (2 * width(widest) < end - begins[0]) return std::nullopt;
  return widest;
}

}  // namespace tessera::ir
