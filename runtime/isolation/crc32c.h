// CRC-32C (Castagnoli), as in iSCSI. Constant tables, no allocation: usable in a signal handler.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

namespace tessera::runtime {

namespace detail {
constexpr std::array<std::uint32_t, 256> crc32c_table() {
  std::array<std::uint32_t, 256> table{};
  for (std::uint32_t i = 0; i < 256; ++i) {
    std::uint32_t c = i;
    for (int bit = 0; bit < 8; ++bit) c = (c >> 1) ^ ((c & 1) != 0 ? 0x82f63b78U : 0U);
    table[i] = c;
  }
  return table;
}
inline constexpr auto kCrc32cTable = crc32c_table();
}  // namespace detail

/// `previous`: the result for the bytes before these, to go on from.
constexpr std::uint32_t crc32c(std::span<const std::byte> bytes, std::uint32_t previous = 0) {
  std::uint32_t c = ~previous;
  for (const std::byte b : bytes)
    c = (c >> 8) ^ detail::kCrc32cTable[(c ^ static_cast<std::uint32_t>(b)) & 0xff];
  return ~c;
}

}  // namespace tessera::runtime
