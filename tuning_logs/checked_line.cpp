#include <span>

#include "runtime/isolation/crc32c.h"
#include "tuning_logs/detail/checked_line.h"
#include "tuning_logs/record.h"

namespace tessera::tuning_logs::detail {

namespace {

constexpr std::size_t kPrefix = kCrcMark.size() + 8 + 2;  // the mark, eight digits, `",`

std::string crc_text(std::string_view body) {
  return hash_text(runtime::crc32c(std::as_bytes(std::span(body.data(), body.size())))).substr(8);
}

}  // namespace

std::string checked_line(std::string_view object) {
  const std::string_view body = object.substr(1);
  std::string line = std::string(kCrcMark) + crc_text(body) + "\",";
  line += body;
  return line;
}

Result<std::string_view> checked_body(std::string_view line) {
  if (line.size() < kPrefix + 2 || line.substr(0, kCrcMark.size()) != kCrcMark || line.substr(kPrefix - 2, 2) != "\",") {
    return refuse("cut short");
  }
  const std::string_view body = line.substr(kPrefix);
  if (line.substr(kCrcMark.size(), 8) != crc_text(body)) return refuse("its checksum does not hold");
  return body;
}

}  // namespace tessera::tuning_logs::detail
