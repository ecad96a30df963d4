// Bytes as text (RFC 4648, padded).
#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "support/result.h"

namespace tessera {

std::string to_base64(std::span<const std::byte> bytes);
/// Strict: refuses other characters, missing padding and bits that should be zero.
Result<std::vector<std::byte>> from_base64(std::string_view text);

}  // namespace tessera
