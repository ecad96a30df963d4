#include "ir/tensor.h"

#include <cstring>

#include "support/rng.h"

namespace tessera::ir {

Tensor::Tensor(Type t, std::vector<std::int64_t> extents) : dtype(t), shape(std::move(extents)) {
  std::int64_t n = t.bytes();
  for (const std::int64_t x : shape) {
    TESSERA_USER_CHECK(x >= 0 && !__builtin_mul_overflow(n, x, &n) && n <= (std::int64_t{1} << 46))
        << "a tensor of this shape does not fit: extent " << x;
  }
  bytes.resize(static_cast<std::size_t>(n));
}

std::int64_t Tensor::position(const std::vector<std::int64_t>& index) const {
  TESSERA_CHECK(index.size() == shape.size())
      << index.size() << " indices of a tensor of rank " << shape.size();
  std::int64_t p = 0;
  for (std::size_t d = 0; d < shape.size(); ++d) {
    TESSERA_CHECK(index[d] >= 0 && index[d] < shape[d])
        << "index " << index[d] << " of extent " << shape[d];
    p = p * shape[d] + index[d];
  }
  return p;
}

Scalar Tensor::at(std::int64_t i) const {
  std::uint64_t bits = 0;
  const auto n = static_cast<std::size_t>(dtype.bytes());
  std::memcpy(&bits, bytes.data() + static_cast<std::size_t>(i) * n, n);
  return from_bits(bits, dtype);
}

void Tensor::put(std::int64_t i, Scalar v) {
  const std::uint64_t bits = to_bits(v, dtype);
  const auto n = static_cast<std::size_t>(dtype.bytes());
  std::memcpy(bytes.data() + static_cast<std::size_t>(i) * n, &bits, n);
}

double Tensor::get(std::int64_t i) const { return convert(at(i), dtype, f64, CastMode::kWrap).f; }
void Tensor::set(std::int64_t i, double v) {
  put(i, convert(Scalar{.f = v}, f64, dtype, CastMode::kWrap));
}

void fill_small_integers(Tensor& t, std::uint64_t seed, std::int64_t magnitude) {
  TESSERA_CHECK(magnitude >= 1) << "magnitude " << magnitude;
  for (std::int64_t i = 0, n = t.size(); i < n; ++i) {
    Rng rng(seed, {static_cast<std::uint64_t>(i)});
    if (t.dtype.is_bool()) {
      t.set_int(i, rng.below(2));
      continue;
    }
    const std::int64_t v = rng.between(1, magnitude);
    const bool negative = !t.dtype.is_uint() && rng.chance(0.5);
    t.set(i, static_cast<double>(negative ? -v : v));
  }
}

void fill_uniform(Tensor& t, std::uint64_t seed, double lo, double hi) {
  for (std::int64_t i = 0, n = t.size(); i < n; ++i)
    t.set(i, lo + (hi - lo) * Rng(seed, {static_cast<std::uint64_t>(i)}).uniform());
}

}  // namespace tessera::ir
