// The one door to nlohmann/json: documents are read with limits, numbers only through checked
// accessors (3.11's own `get<int>()` silently wraps and truncates).
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include <nlohmann/json.hpp>

#include "support/result.h"

namespace tessera {

using Json = nlohmann::ordered_json;  // keys keep the order in which they were written

/// Caps for text that comes from outside. Breaking one is a refusal, never an exception.
struct JsonLimits {
  int depth = 32;
  std::int64_t values = 200'000;
  std::size_t string_bytes = 1 << 20;
  std::size_t text_bytes = 64u << 20;
};

/// Parses one document. Refuses: bad syntax, duplicate keys, non-finite numbers, anything past a cap.
Result<Json> parse_json(std::string_view text, const JsonLimits& limits = {});

/// Shortest text that reads back equal; no line breaks.
std::string dump_json(const Json& j);

/// The value of a JSON integer token in [lo, hi]; floats, booleans and strings are refused.
Result<std::int64_t> json_int(const Json& j, std::int64_t lo = INT64_MIN, std::int64_t hi = INT64_MAX);
/// A finite number.
Result<double> json_double(const Json& j);
Result<std::string> json_string(const Json& j);

/// Member `key` of an object, or a refusal that names it.
Result<const Json*> json_member(const Json& j, const char* key);

}  // namespace tessera
