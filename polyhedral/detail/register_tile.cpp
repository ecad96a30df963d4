#include "polyhedral/detail/register_tile.h"

#include <algorithm>
#include <limits>

namespace tessera::polyhedral::detail {

RegisterTile register_tile(std::int64_t rows, std::int64_t columns, int lanes, int registers) {
  RegisterTile best;
  double least = std::numeric_limits<double>::infinity();
  for (std::int64_t v = 1; v <= (rows < 2 ? kMostVectorsOfARow : kMostVectors); ++v) {
    for (std::int64_t r = 1; r <= std::min(kMostRows, rows); ++r) {
      const RegisterTile t{r, v};
      if (t.registers() > registers || (v - 1) * lanes >= columns) continue;
      const auto covered = [](std::int64_t n, std::int64_t tile) { return static_cast<double>((n + tile - 1) / tile * tile) / static_cast<double>(n); };
      const double sums = static_cast<double>(r * v), loads = static_cast<double>(r + v);
      const double cost = covered(rows, r) * covered(columns, v * lanes) * std::max({1.0, 8 / sums, loads / sums}) * (1 + loads / sums / 4);
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
