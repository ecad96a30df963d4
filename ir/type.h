// Scalar and vector types: (code, bits, lanes). Open to every dtype a kernel meets; which of them a
// code generator supports is its own table.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "support/result.h"

namespace tessera::ir {

enum class TypeCode : std::uint8_t { kInt, kUInt, kFloat, kBFloat, kFloatE4M3, kFloatE5M2, kTFloat, kHandle };

struct Type {
  TypeCode code = TypeCode::kInt;
  std::uint8_t bits = 32;
  std::uint16_t lanes = 1;

  bool operator==(const Type&) const = default;

  bool is_int() const { return code == TypeCode::kInt; }
  bool is_uint() const { return code == TypeCode::kUInt; }
  bool is_bool() const { return code == TypeCode::kUInt && bits == 1; }
  bool is_integral() const { return is_int() || is_uint(); }
  bool is_float() const { return !is_integral() && code != TypeCode::kHandle; }
  bool is_scalar() const { return lanes == 1; }
  Type with_lanes(int n) const { return {code, bits, static_cast<std::uint16_t>(n)}; }
  Type element() const { return with_lanes(1); }
  /// Bytes of one element in memory: bool takes one byte, sub-byte integers are refused by callers.
  int bytes() const { return bits < 8 ? 1 : bits / 8; }
  std::uint64_t hash() const {
    return (static_cast<std::uint64_t>(code) << 32) | (static_cast<std::uint64_t>(bits) << 16) | lanes;
  }
};

inline constexpr Type i4{TypeCode::kInt, 4, 1}, i8{TypeCode::kInt, 8, 1}, i16{TypeCode::kInt, 16, 1},
    i32{TypeCode::kInt, 32, 1}, i64{TypeCode::kInt, 64, 1};
inline constexpr Type u8{TypeCode::kUInt, 8, 1}, u16{TypeCode::kUInt, 16, 1}, u32{TypeCode::kUInt, 32, 1},
    u64{TypeCode::kUInt, 64, 1};
inline constexpr Type boolean{TypeCode::kUInt, 1, 1};
inline constexpr Type f16{TypeCode::kFloat, 16, 1}, f32{TypeCode::kFloat, 32, 1}, f64{TypeCode::kFloat, 64, 1};
inline constexpr Type bf16{TypeCode::kBFloat, 16, 1}, tf32{TypeCode::kTFloat, 32, 1};
inline constexpr Type f8e4m3{TypeCode::kFloatE4M3, 8, 1}, f8e5m2{TypeCode::kFloatE5M2, 8, 1};
inline constexpr Type handle{TypeCode::kHandle, 64, 1};

/// "f32", "i8", "bool", "f32x16".
std::string to_string(Type t);
std::ostream& operator<<(std::ostream& os, Type t);
/// Inverse of to_string; the refusal lists the names that exist.
Result<Type> parse_type(std::string_view text);

/// The smallest and largest value of an integral type of at most 64 bits (u64 saturates at int64 max).
std::int64_t min_value(Type t);
std::int64_t max_value(Type t);

}  // namespace tessera::ir
