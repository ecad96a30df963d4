#include "runtime/cpu/compare.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstring>

namespace tessera::runtime {

namespace {

template <class T>
T load(const std::byte* p) {
  T x;
  std::memcpy(&x, p, sizeof x);
  return x;
}

std::uint64_t bits_of(ir::Type t, const std::byte* p) {
  std::uint64_t bits = 0;
  std::memcpy(&bits, p, static_cast<std::size_t>(t.bytes()));
  return bits;
}

float half_to_float(std::uint16_t h) {
  const std::uint32_t sign = static_cast<std::uint32_t>(h & 0x8000U) << 16;
  const std::uint32_t exponent = (h >> 10) & 31U, fraction = h & 1023U;
  if (exponent == 31) return std::bit_cast<float>(sign | 0x7f800000U | (fraction << 13));
  const float magnitude = exponent == 0 ? std::ldexp(static_cast<float>(fraction), -24)
                                        : std::ldexp(static_cast<float>(1024 + fraction),
                                                     static_cast<int>(exponent) - 25);
  return sign != 0 ? -magnitude : magnitude;
}

/// Types whose values this file can read as double (i64 and u64 beyond 2^53 are rounded).
bool has_value(ir::Type t) {
  if (t.is_float()) return t.bits == 16 || t.bits == 32 || t.bits == 64;
  return t.is_integral() && (t.bits == 1 || t.bits >= 8);
}

double value_of(ir::Type t, const std::byte* p) {
  if (t.code == ir::TypeCode::kBFloat)
    return std::bit_cast<float>(static_cast<std::uint32_t>(load<std::uint16_t>(p)) << 16);
  if (t.is_float())
    return t.bits == 64   ? load<double>(p)
           : t.bits == 32 ? load<float>(p)
                          : half_to_float(load<std::uint16_t>(p));
  const std::uint64_t bits = bits_of(t, p);
  if (t.is_uint()) return static_cast<double>(bits);
  const int unused = 64 - 8 * t.bytes();
  return static_cast<double>(static_cast<std::int64_t>(bits << unused) >> unused);
}

bool is_nan_or_zero_pair(ir::Type t, const std::byte* a, const std::byte* b) {
  if (!t.is_float() || !has_value(t)) return false;
  const double x = value_of(t, a), y = value_of(t, b);
  return (x == 0 && y == 0) || (std::isnan(x) && std::isnan(y));
}

bool is_poison(ir::Type t, const std::byte* p, std::byte poison) {
  return std::all_of(p, p + t.bytes(), [&](std::byte b) { return b == poison; });
}

class OutputCheck {
 public:
  OutputCheck(const ArgumentContract& argument, std::span<const std::byte> got,
              const ExpectedView& expected, std::byte poison, double error_factor)
      : a_(argument), got_(got), e_(expected), poison_(poison), error_factor_(error_factor),
        width_(argument.dtype.bytes()) {
    for (const std::int64_t extent : a_.shape) elements_ *= extent;
  }

  std::optional<Mismatch> run() const {
    if (auto unfit = fit()) return unfit;
    if (!std::ranges::equal(got_.first(static_cast<std::size_t>(elements_ * width_)), e_.values) ||
        !e_.points.empty())
      for (std::int64_t i = 0; i < count(); ++i)
        if (!matches(i)) return mismatch(i);
    return e_.points.empty() ? std::nullopt : poison_anywhere();
  }

 private:
  std::int64_t count() const {
    return e_.points.empty() ? elements_ : static_cast<std::int64_t>(e_.points.size());
  }
  std::int64_t index(std::int64_t i) const {
    return e_.points.empty() ? i : e_.points[static_cast<std::size_t>(i)];
  }
  const std::byte* want(std::int64_t i) const { return e_.values.data() + i * width_; }
  const std::byte* have(std::int64_t i) const { return got_.data() + index(i) * width_; }

  std::optional<Mismatch> fit() const {
    const auto bad = [&](const char* what) {
      return Mismatch{MeasureStatus::kInternal, "the values expected of '" + a_.name + "' " + what};
    };
    if (static_cast<std::int64_t>(got_.size()) < elements_ * width_)
      return bad("are more than it holds");
    if (static_cast<std::int64_t>(e_.values.size()) != count() * width_)
      return bad("do not fit its shape");
    if (!e_.bounds.empty() && static_cast<std::int64_t>(e_.bounds.size()) != count())
      return bad("do not fit their bounds");
    if (e_.comparison == Comparison::kBounded && !has_value(a_.dtype))
      return bad("have a type without bounds");
    for (const std::int64_t p : e_.points)
      if (p < 0 || p >= elements_) return bad("have a point outside of it");
    return std::nullopt;
  }

  bool matches(std::int64_t i) const {
    if (std::memcmp(want(i), have(i), static_cast<std::size_t>(width_)) == 0) return true;
    if (is_nan_or_zero_pair(a_.dtype, want(i), have(i)))
      return !is_poison(a_.dtype, have(i), poison_);
    if (e_.comparison == Comparison::kExact) return false;
    const double x = value_of(a_.dtype, want(i)), y = value_of(a_.dtype, have(i));
    return std::isfinite(x) && std::isfinite(y) && std::fabs(x - y) <= bound(i, x);
  }

  double bound(std::int64_t i, double expected) const {
    return error_factor_ * (e_.bounds.empty() ? e_.absolute + e_.relative * std::fabs(expected)
                                              : static_cast<double>(e_.bounds[static_cast<std::size_t>(i)]));
  }

  std::string place(std::int64_t flat) const {
    std::string coordinates;
    std::int64_t rest = flat;
    for (auto extent = a_.shape.rbegin(); extent != a_.shape.rend(); ++extent) {
      coordinates =
          std::to_string(rest % *extent) + (coordinates.empty() ? "" : ", ") + coordinates;
      rest /= *extent;
    }
    return a_.name + "[" + coordinates + "] (element " + std::to_string(flat) + ")";
  }

  Mismatch mismatch(std::int64_t i) const {
    const std::string at = place(index(i));
    if (is_poison(a_.dtype, have(i), poison_))
      return {MeasureStatus::kUninitialised, at + " was never written"};
    std::string message = at + ": expected " + element_text(a_.dtype, want(i)) + ", got " +
                          element_text(a_.dtype, have(i));
    if (e_.comparison == Comparison::kBounded) {
      std::array<char, 48> text{};
      std::snprintf(text.data(), text.size(), ", more than %.3g apart",
                    bound(i, value_of(a_.dtype, want(i))));
      message += text.data();
    }
    return {MeasureStatus::kWrongAnswer, message};
  }

  std::optional<Mismatch> poison_anywhere() const {
    if (!a_.dtype.is_float() || poison_ != std::byte{0xff}) return std::nullopt;
    for (std::int64_t i = 0; i < elements_; ++i)
      if (is_poison(a_.dtype, got_.data() + i * width_, poison_))
        return Mismatch{MeasureStatus::kUninitialised, place(i) + " was never written"};
    return std::nullopt;
  }

  const ArgumentContract& a_;
  std::span<const std::byte> got_;
  const ExpectedView& e_;
  std::byte poison_;
  double error_factor_;
  std::int64_t width_;
  std::int64_t elements_ = 1;
};

}  // namespace

std::string element_text(ir::Type dtype, const std::byte* element) {
  std::array<char, 48> text{};
  if (dtype.is_integral() && has_value(dtype)) {
    const std::uint64_t bits = bits_of(dtype, element);
    const int unused = 64 - 8 * dtype.bytes();
    if (dtype.is_uint()) return std::to_string(bits);
    return std::to_string(static_cast<std::int64_t>(bits << unused) >> unused);
  }
  if (!has_value(dtype)) {
    std::snprintf(text.data(), text.size(), "0x%llx",
                  static_cast<unsigned long long>(bits_of(dtype, element)));
    return text.data();
  }
  std::snprintf(text.data(), text.size(), dtype.bits == 64 ? "%.17g" : "%.9g",
                value_of(dtype, element));
  return text.data();
}

std::optional<Mismatch> compare_output(const ArgumentContract& argument,
                                       std::span<const std::byte> got, const ExpectedView& expected,
                                       std::byte poison, double error_factor) {
  return OutputCheck(argument, got, expected, poison, error_factor).run();
}

}  // namespace tessera::runtime
