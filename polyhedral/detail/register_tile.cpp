#include "polyhedral/detail/register_tile.h"

#include <algorithm>
#include <limits>

namespace tessera::polyhedral::detail {

namespace {

/// Of `n` elements in tiles of `tile`, those that are computed.
double covered(std::int64_t n, std::int64_t tile) { return static_cast<double>((n + tile - 1) / tile * tile) / static_cast<double>(n); }

/// Every count of rows up to kMostRows an axis, the last axis fastest.
std::vector<std::vector<std::int64_t>> counts_of_rows(const std::vector<std::int64_t>& extents) {
  std::vector<std::vector<std::int64_t>> out{{}};
  for (const std::int64_t n : extents) {
    std::vector<std::vector<std::int64_t>> longer;
    for (const auto& counts : out) {
      for (std::int64_t r = 1; r <= std::min(kMostRows, n); ++r) {
        longer.push_back(counts);
        longer.back().push_back(r);
      }
    }
    out = std::move(longer);
  }
  return out;
}

}  // namespace

std::int64_t RegisterTile::all_rows() const {
  std::int64_t out = 1;
  for (const std::int64_t r : rows) out *= r;
  return out;
}

RegisterTile register_tile(const std::vector<std::int64_t>& rows, std::int64_t columns, int lanes, int registers) {
  RegisterTile best;
  double least = std::numeric_limits<double>::infinity();
  for (std::int64_t v = 1; v <= (rows.empty() ? kMostVectorsOfARow : kMostVectors); ++v) {
    for (const std::vector<std::int64_t>& counts : counts_of_rows(rows)) {
      const RegisterTile t{counts, v};
      if (t.registers() > registers || (v - 1) * lanes >= columns) continue;
      const double sums = static_cast<double>(t.all_rows() * v), loads = static_cast<double>(t.all_rows() + v);
      double cost = covered(columns, v * lanes) * std::max({1.0, 8 / sums, loads / sums}) * (1 + loads / sums / 4);
      for (std::size_t i = 0; i < rows.size(); ++i) cost *= covered(rows[i], counts[i]);
      if (cost < least) best = t;
      least = std::min(cost, least);
    }
  }
  return best;
}

std::vector<std::int64_t> up_to(std::int64_t n) {
  std::vector<std::int64_t> out;
  for (std::int64_t i = 1; i <= n; ++i) out.push_back(i);
  return out;
}

std::vector<std::int64_t> powers_up_to(std::int64_t n) {
  std::vector<std::int64_t> out;
  for (std::int64_t p = 1; p <= n; p *= 2) out.push_back(p);
  return out;
}

}  // namespace tessera::polyhedral::detail
