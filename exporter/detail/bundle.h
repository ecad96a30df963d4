// What the writers of the single files share: names, C types and parameter lists of one export.
#pragma once

#include <cstdint>
#include <iosfwd>
#include <string>
#include <vector>

#include "exporter/export_c.h"

namespace tessera::exporter {

/// One argument of the kernel as C sees it.
struct Operand {
  std::string name;        // an identifier, unique among the operands
  std::string operand;     // what the program calls it
  std::string type;        // C type of an element
  std::string dtype;       // "f32"
  std::int64_t elements = 0, bytes = 0;
  int alignment = 1;
  std::vector<std::int64_t> shape;
  runtime::ArgumentRole role = runtime::ArgumentRole::kInput;
  std::int64_t prepared_offset = 0;  // of a prepared operand in the caller's one block
  bool in_prepare = false, in_run = false;
  dsl::ValueRule values;

  bool is_prepared() const { return role == runtime::ArgumentRole::kPrepared; }
  bool is_output() const { return role == runtime::ArgumentRole::kOutput; }
};

struct BundledFile {
  std::string name;
  std::string bytes;
};

struct Bundle {
  std::string name;         // prefix of every function and file
  std::string description;  // one or more lines without comment marks
  std::string target, tool;
  std::string object;       // with the symbols renamed
  std::vector<Operand> operands;  // in the order of the contract
  std::vector<runtime::Launch> launches;
  std::vector<std::string> symbols;  // of the launches, in the object
  std::int64_t workspace_bytes = 0, prepared_bytes = 0;
  int prepared_alignment = 64;
  std::vector<runtime::ByteRange> zero_ranges;
  std::vector<std::string> features;  // instruction sets a processor must have

  bool has_prepare() const { return prepared_bytes > 0; }
  bool needs_workspace(runtime::Phase phase) const;
};

/// Checks the image and gives everything a name. UserError for what C cannot hold.
Bundle make_bundle(const runtime::KernelImage& image, const ir::Target& target, const ExportOptions& options);
/// What kernels of all targets have: everything but object, symbols and features.
Bundle make_common_bundle(const runtime::KernelImage& image, const ir::Target& target, const ExportOptions& options);

/// "const float* X, const void* prepared, float* Y": what a typed function takes. With `names_only`
/// the same as a call passes it.
std::string parameters(const Bundle& b, runtime::Phase phase, bool names_only = false);

// One file each.
std::string header_text(const Bundle& b);
std::string launcher_text(const Bundle& b);
std::string example_text(const Bundle& b);
std::string cmake_text(const Bundle& b);
std::string readme_text(const Bundle& b);
std::string manifest_text(const Bundle& b, const std::vector<BundledFile>& files, bool shared_library);

// Parts of them that the files of other targets have too.
/// Lines of a comment: what each parameter of a phase is, in the order of `parameters`.
void describe_parameters(std::ostream& out, const Bundle& b, runtime::Phase phase);
std::string commented(const std::string& text);
std::string upper(const std::string& text);
const char* role_word(runtime::ArgumentRole role);
/// What example.c puts into element i of an operand, and the tables that this reads.
std::string fill_value(const Operand& o, std::size_t index);
std::string fill_tables(const Bundle& b);
extern const char* const kKernelAbiText;  // runtime/kernel_abi.h

/// C code of `static int supported(void)` for the features of the bundle's target.
std::string isa_gate_text(const Bundle& b);
/// Those of `instruction_sets` that the gate can ask a processor for and a compiler uses by itself.
std::vector<std::string> gated_features(const std::vector<std::string>& instruction_sets);

/// The ELF object with every function it defines called PREFIX + old name and hidden from other
/// libraries, so that several exports fit into one program. Refuses what is no 64-bit relocatable.
Result<std::string> with_prefixed_symbols(const std::string& object, const std::string& prefix);

std::string sha256_hex(const std::string& bytes);

/// Links libNAME.so inside `directory`; the reason when it could not.
Status link_shared_library(const Bundle& b, const std::string& directory, const std::string& compiler);

}  // namespace tessera::exporter
