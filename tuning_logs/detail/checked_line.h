// Lines that carry their own checksum: {"crc":"1a2b3c4d",...}, CRC-32C over the bytes after its comma.
#pragma once

#include <string>
#include <string_view>

#include "support/result.h"

namespace tessera::tuning_logs::detail {

inline constexpr std::string_view kCrcMark = "{\"crc\":\"";  // every such line begins so

/// The line of a JSON object's text.
std::string checked_line(std::string_view object);
/// The object's text after its opening brace; refuses a line that is cut short or damaged.
Result<std::string_view> checked_body(std::string_view line);

}  // namespace tessera::tuning_logs::detail
