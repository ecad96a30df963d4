#include "codegen/cuda/opcodes.h"

#include <elf.h>

#include <array>
#include <cstring>
#include <string_view>
#include <utility>

namespace tessera::codegen {

namespace {

constexpr std::string_view kCode = ".text.";
constexpr std::size_t kWord = 16;

// The low 9 bits are the operation, the 3 above say where its operands come from (register, constant bank,
// immediate). Found by compiling one instruction more and looking at what is new, on sm_80 to sm_100a.
constexpr int kOperation = 0x1ff;
constexpr std::array<std::pair<int, const char*>, 28> kNames{{
    {0x020, "FMUL"},   {0x021, "FADD"},    {0x023, "FFMA"},    {0x108, "MUFU"},  {0x024, "IMAD"},       {0x025, "IMAD"},
    {0x03c, "HMMA"},   {0x037, "IMMA"},    {0x1f0, "HGMMA"},   {0x1f1, "IGMMA"}, {0x1f3, "QGMMA"},      {0x03b, "LDSM"},
    {0x044, "STSM"},   {0x1ae, "LDGSTS"},  {0x181, "LDG"},     {0x186, "STG"},   {0x184, "LDS"},        {0x188, "STS"},
    {0x183, "LDL"},    {0x187, "STL"},     {0x1b4, "UTMALDG"}, {0x1b5, "UTMASTG"}, {0x1a7, "SYNCS"},    {0x1c8, "USETMAXREG"},
    {0x11d, "BAR"},    {0x189, "SHFL"},    {0x1a8, "ATOMG"},   {0x18e, "RED"},
}};

std::string name_of(int opcode) {
  for (const auto& [number, name] : kNames) {
    if (number == (opcode & kOperation)) return name;
  }
  std::array<char, 8> text{};
  std::snprintf(text.data(), text.size(), "0x%03x", static_cast<unsigned>(opcode));
  return text.data();
}

/// A struct at an offset of the file, when it lies inside.
template <class T>
bool read_at(std::span<const std::byte> file, std::uint64_t offset, T& out) {
  if (offset > file.size() || file.size() - offset < sizeof out) return false;
  std::memcpy(&out, file.data() + offset, sizeof out);
  return true;
}

}  // namespace

std::int64_t OpcodeCounts::count(const std::string& name) const {
  const auto at = by_name.find(name);
  return at == by_name.end() ? 0 : at->second;
}

Result<std::map<std::string, OpcodeCounts>> count_opcodes(std::span<const std::byte> cubin) {
  Elf64_Ehdr header{};
  if (!read_at(cubin, 0, header) || std::memcmp(header.e_ident, ELFMAG, SELFMAG) != 0 || header.e_ident[EI_CLASS] != ELFCLASS64) {
    return refuse("these ", cubin.size(), " bytes are no cubin: a cubin is a 64-bit ELF file");
  }
  const auto section = [&](std::uint64_t i, Elf64_Shdr& out) { return read_at(cubin, header.e_shoff + i * sizeof out, out); };
  Elf64_Shdr names{};
  if (!section(header.e_shstrndx, names)) return refuse("the cubin is cut short: its section names are missing");
  std::map<std::string, OpcodeCounts> out;
  for (std::uint64_t i = 0; i < header.e_shnum; ++i) {
    Elf64_Shdr s{};
    if (!section(i, s)) return refuse("the cubin is cut short: section ", i, " is missing");
    std::string name;
    for (std::uint64_t at = names.sh_offset + s.sh_name; at < cubin.size() && cubin[at] != std::byte{0}; ++at) {
      name.push_back(static_cast<char>(cubin[at]));
    }
    if (s.sh_type == SHT_NOBITS || !name.starts_with(kCode)) continue;
    if (s.sh_offset > cubin.size() || cubin.size() - s.sh_offset < s.sh_size) return refuse("the cubin is cut short inside ", name);
    OpcodeCounts& counts = out[name.substr(kCode.size())];
    for (std::uint64_t at = 0; at + kWord <= s.sh_size; at += kWord) {
      std::uint16_t low = 0;
      std::memcpy(&low, cubin.data() + s.sh_offset + at, sizeof low);
      ++counts.by_name[name_of(low & 0xfff)];
      ++counts.instructions;
    }
  }
  return out;
}

}  // namespace tessera::codegen
