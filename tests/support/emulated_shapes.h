// Shapes of operators for the CUDA emulator, which runs every thread.
#pragma once

#include <algorithm>
#include <iterator>
#include <stdexcept>
#include <string>

#include "ops/catalog.h"

namespace tessera::test {

/// Primes in place of large extents, larger than a warp where that stays small enough.
inline dsl::ComputeDag small_for_emulator(const ops::Operator& op, const std::string& layout = "", const std::string& dtype = "") {
  static constexpr double kMostFlops = 3e5;
  static constexpr std::int64_t kPrimes[][4] = {{37, 19, 51, 13}, {19, 11, 13, 17}, {7, 5, 11, 13}};
  for (const auto& primes : kPrimes) {
    ops::Request r{op.name, {}, layout, dtype};
    std::size_t i = 0;
    for (const ops::Parameter& p : op.parameters) {
      if (p.fallback > 8) r.shape[p.name] = std::max(p.min, primes[i++ % 4]);
    }
    dsl::ComputeDag dag = ops::build(r).or_throw();
    if (dag.flops() < kMostFlops || &primes == std::end(kPrimes) - 1) return dag;
  }
  throw std::logic_error("no shapes");
}

}  // namespace tessera::test
