#include "ir/type.h"

#include <array>
#include <charconv>
#include <ostream>

namespace tessera::ir {

namespace {

struct Named {
  const char* name;
  Type type;
};

constexpr std::array<Named, 19> kNames{{{"bool", boolean}, {"i4", i4}, {"i8", i8}, {"i16", i16}, {"i32", i32},
    {"i64", i64}, {"u4", {TypeCode::kUInt, 4, 1}}, {"u8", u8}, {"u16", u16}, {"u32", u32}, {"u64", u64},
    {"f16", f16}, {"f32", f32}, {"f64", f64}, {"bf16", bf16}, {"tf32", tf32}, {"f8e4m3", f8e4m3},
    {"f8e5m2", f8e5m2}, {"handle", handle}}};

}  // namespace

std::string to_string(Type t) {
  for (const Named& n : kNames) {
    if (n.type == t.element()) return t.lanes == 1 ? n.name : std::string(n.name) + "x" + std::to_string(t.lanes);
  }
  return "type(" + std::to_string(static_cast<int>(t.code)) + "," + std::to_string(t.bits) + ")x" +
         std::to_string(t.lanes);
}

std::ostream& operator<<(std::ostream& os, Type t) { return os << to_string(t); }

Result<Type> parse_type(std::string_view text) {
  const std::size_t x = text.find('x');
  const std::string_view base = text.substr(0, x);
  int lanes = 1;
  if (x != std::string_view::npos) {
    const std::string_view digits = text.substr(x + 1);
    const auto [end, err] = std::from_chars(digits.data(), digits.data() + digits.size(), lanes);
    if (err != std::errc() || end != digits.data() + digits.size() || lanes < 1 || lanes > 4096) {
      return refuse("bad lane count in dtype '", std::string(text.substr(0, 32)), "'");
    }
  }
  for (const Named& n : kNames) {
    if (base == n.name) return n.type.with_lanes(lanes);
  }
  std::string known;
  for (const Named& n : kNames) known += (known.empty() ? "" : ", ") + std::string(n.name);
  return refuse("unknown dtype '", std::string(text.substr(0, 32)), "'; dtypes are ", known);
}

std::int64_t min_value(Type t) {
  if (!t.is_int()) return 0;
  return t.bits >= 64 ? INT64_MIN : -(std::int64_t{1} << (t.bits - 1));
}

std::int64_t max_value(Type t) {
  if (t.is_int()) return t.bits >= 64 ? INT64_MAX : (std::int64_t{1} << (t.bits - 1)) - 1;
  return t.bits >= 63 ? INT64_MAX : (std::int64_t{1} << t.bits) - 1;
}

}  // namespace tessera::ir
