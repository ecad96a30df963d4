// Counter-based random numbers: the n-th draw of a stream is a pure function of (seed, stream, n),
// so a batch of the search depends only on its key and never on thread count or on earlier draws.
#pragma once

#include <cstdint>
#include <initializer_list>

#include "support/hash.h"

namespace tessera {

class Rng {
 public:
  /// A stream named by a seed and any number of integers (task hash, batch, slot, ...).
  explicit Rng(std::uint64_t seed, std::initializer_list<std::uint64_t> stream = {})
      : key_(mix64(seed)) {
    for (const std::uint64_t s : stream) key_ = hash_combine(key_, s);
  }

  std::uint64_t next() { return mix64(key_ + 0x9e3779b97f4a7c15ULL * ++counter_); }
  /// Uniform in [0, n); n >= 1. The bias is below n / 2^64.
  std::int64_t below(std::int64_t n) {
    const auto wide = static_cast<unsigned __int128>(next()) * static_cast<std::uint64_t>(n);
    return static_cast<std::int64_t>(wide >> 64);
  }
  std::int64_t between(std::int64_t lo, std::int64_t hi) { return lo + below(hi - lo + 1); }
  /// Uniform in [0, 1).
  double uniform() { return static_cast<double>(next() >> 11) * 0x1.0p-53; }
  bool chance(double p) { return uniform() < p; }
  template <class Container>
  const auto& pick(const Container& c) {
    return c[static_cast<std::size_t>(below(static_cast<std::int64_t>(c.size())))];
  }

 private:
  std::uint64_t key_;
  std::uint64_t counter_ = 0;
};

}  // namespace tessera
