// New names for the functions of an ELF object, without a tool of the machine: the string table gets
// the new names at its end and moves to the end of the file, the symbols point there.
#include <elf.h>

#include <cstring>

#include "exporter/detail/bundle.h"

namespace tessera::exporter {

namespace {

/// A struct at an offset, checked against the size of the file.
template <class T>
bool read_at(const std::string& file, std::uint64_t offset, T& out) {
  if (offset > file.size() || file.size() - offset < sizeof(T)) return false;
  std::memcpy(&out, file.data() + offset, sizeof(T));
  return true;
}
template <class T>
void write_at(std::string& file, std::uint64_t offset, const T& value) {
  std::memcpy(file.data() + offset, &value, sizeof(T));
}

}  // namespace

Result<std::string> with_prefixed_symbols(const std::string& object, const std::string& prefix) {
  Elf64_Ehdr header{};
  if (!read_at(object, 0, header) || std::memcmp(header.e_ident, ELFMAG, SELFMAG) != 0 ||
      header.e_ident[EI_CLASS] != ELFCLASS64 || header.e_ident[EI_DATA] != ELFDATA2LSB || header.e_type != ET_REL ||
      header.e_shentsize != sizeof(Elf64_Shdr)) {
    return refuse("not a little-endian 64-bit ELF object");
  }
  const auto section_offset = [&](std::uint64_t i) { return header.e_shoff + i * sizeof(Elf64_Shdr); };
  Elf64_Shdr symbols{};
  std::uint64_t i = 0;
  for (;; ++i) {
    if (i >= header.e_shnum || !read_at(object, section_offset(i), symbols)) return refuse("no symbol table");
    if (symbols.sh_type == SHT_SYMTAB) break;
  }
  Elf64_Shdr strings{};
  if (!read_at(object, section_offset(symbols.sh_link), strings) || strings.sh_offset > object.size() ||
      object.size() - strings.sh_offset < strings.sh_size) {
    return refuse("no string table");
  }
  std::string file = object;
  std::string names = object.substr(strings.sh_offset, strings.sh_size);
  for (std::uint64_t at = symbols.sh_offset; at + sizeof(Elf64_Sym) <= symbols.sh_offset + symbols.sh_size; at += sizeof(Elf64_Sym)) {
    Elf64_Sym s{};
    if (!read_at(object, at, s) || s.st_name >= strings.sh_size) return refuse("a damaged symbol table");
    if (ELF64_ST_BIND(s.st_info) == STB_LOCAL || s.st_shndx == SHN_UNDEF) continue;
    const char* old = names.data() + s.st_name;
    const std::string name(old, ::strnlen(old, strings.sh_size - s.st_name));
    s.st_name = static_cast<Elf64_Word>(names.size());
    s.st_other = static_cast<unsigned char>((s.st_other & ~3U) | STV_HIDDEN);
    names += prefix + name + '\0';
    write_at(file, at, s);
  }
  file.resize((file.size() + 7) / 8 * 8);
  strings.sh_offset = file.size();
  strings.sh_size = names.size();
  write_at(file, section_offset(symbols.sh_link), strings);
  return file + names;
}

}  // namespace tessera::exporter
