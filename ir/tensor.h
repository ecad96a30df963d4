// A typed host tensor: dense row-major bytes, as a kernel sees them. bool and 4-bit integers take
// one byte each.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "ir/arith.h"

namespace tessera::ir {

struct Tensor {
  Type dtype;
  std::vector<std::int64_t> shape;
  std::vector<std::uint8_t> bytes;

  Tensor() = default;
  /// All zero. UserError when the size does not fit memory's address range.
  Tensor(Type dtype, std::vector<std::int64_t> shape);

  std::int64_t size() const { return static_cast<std::int64_t>(bytes.size()) / dtype.bytes(); }
  /// Row-major position of an index.
  std::int64_t position(const std::vector<std::int64_t>& index) const;

  Scalar at(std::int64_t i) const;
  void put(std::int64_t i, Scalar v);
  /// Any dtype as a double (u64 and i64 above 2^53 are rounded), and back by the rules of a cast.
  double get(std::int64_t i) const;
  void set(std::int64_t i, double v);
  /// Integral dtypes exactly; u64 as its two's complement.
  std::int64_t get_int(std::int64_t i) const { return at(i).i; }
  void set_int(std::int64_t i, std::int64_t v) { put(i, Scalar{.i = wrapped(v, dtype)}); }

  bool operator==(const Tensor&) const = default;
};

/// Non-zero integers of size 1 .. magnitude, signed where the dtype is; bool: 0 or 1. While
/// magnitudes and lengths of sums are such that no partial sum needs more bits than the dtype has,
/// every order of evaluation gives the same bits. The value at a position depends on (seed,
/// position) alone.
void fill_small_integers(Tensor& t, std::uint64_t seed, std::int64_t magnitude);
/// Uniform in [lo, hi), rounded to the dtype.
void fill_uniform(Tensor& t, std::uint64_t seed, double lo, double hi);

}  // namespace tessera::ir
