// Which machine instructions a cubin holds, without a disassembler: the low 12 bits of each 16-byte word
// of its code (sm_70 and later). For tests and reports ("4 HMMA, no FFMA").
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <span>
#include <string>

#include "support/result.h"

namespace tessera::codegen {

struct OpcodeCounts {
  std::int64_t instructions = 0;
  std::map<std::string, std::int64_t> by_name;  // "HMMA"; unknown ones by number, "0x223"

  std::int64_t count(const std::string& name) const;
};

/// By kernel name. Refuses bytes that are no 64-bit ELF file or whose sections lie outside it.
Result<std::map<std::string, OpcodeCounts>> count_opcodes(std::span<const std::byte> cubin);

}  // namespace tessera::codegen
