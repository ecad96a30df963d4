#include "support/cache_sizes.h"

#include <unistd.h>

#include <algorithm>
#include <fstream>
#include <string>

namespace tessera {

namespace {

/// "48K", "1024K", "32M".
std::int64_t bytes_of(const std::string& text) {
  std::size_t end = 0;
  std::int64_t n = 0;
  while (end < text.size() && text[end] >= '0' && text[end] <= '9') n = 10 * n + (text[end++] - '0');
  if (end < text.size() && text[end] == 'K') n <<= 10;
  if (end < text.size() && text[end] == 'M') n <<= 20;
  return n;
}

std::string first_word(const std::string& path) {
  std::ifstream in(path);
  std::string word;
  in >> word;
  return word;
}

CacheSizes of_system() {
  CacheSizes out;
  for (int index = 0; index < 8; ++index) {
    const std::string cache = "/sys/devices/system/cpu/cpu0/cache/index" + std::to_string(index) + "/";
    const std::string level = first_word(cache + "level"), type = first_word(cache + "type");
    if (level.empty() || type == "Instruction") continue;
    const std::int64_t bytes = bytes_of(first_word(cache + "size"));
    if (level == "1") out.l1 = bytes;
    if (level == "2") out.l2 = bytes;
    if (level == "3") out.l3 = bytes;
  }
#ifdef _SC_LEVEL1_DCACHE_SIZE
  const auto fill = [](std::int64_t& size, int name) {
    if (size == 0) size = std::max<std::int64_t>(0, ::sysconf(name));
  };
  fill(out.l1, _SC_LEVEL1_DCACHE_SIZE);
  fill(out.l2, _SC_LEVEL2_CACHE_SIZE);
  fill(out.l3, _SC_LEVEL3_CACHE_SIZE);
#endif
  return out;
}

}  // namespace

CacheSizes read_cache_sizes() {
  static const CacheSizes sizes = of_system();
  return sizes;
}

}  // namespace tessera
