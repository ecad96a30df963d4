// How many results of a product registers hold together.
#pragma once

#include <cstdint>
#include <vector>

namespace tessera::polyhedral::detail {

constexpr std::int64_t kMostRows = 8, kMostVectors = 4, kMostVectorsOfARow = 8;

struct RegisterTile {
  std::vector<std::int64_t> rows;  // by axis that has rows
  std::int64_t vectors = 1;        // of columns, a row
  std::int64_t all_rows() const;
  /// Sums, the vectors of columns that they are multiplied with, and one element of a row.
  std::int64_t registers() const { return all_rows() * vectors + vectors + 1; }
};

/// The tile that keeps multipliers busiest: two multiply-adds and two loads a cycle, four cycles until a sum can be
/// added to again; what is left at the borders of `rows` (up to two axes) x `columns` counts as if it were computed. `lanes`
/// of a vector, `registers` for vectors.
RegisterTile register_tile(const std::vector<std::int64_t>& rows, std::int64_t columns, int lanes, int registers);

/// Domains of open sizes: 1, 2, 3, ... and 1, 2, 4, ..., both up to n.
std::vector<std::int64_t> up_to(std::int64_t n);
std::vector<std::int64_t> powers_up_to(std::int64_t n);

}  // namespace tessera::polyhedral::detail
