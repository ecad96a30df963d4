// NAME.h: the typed functions and what they ask of their arguments.
#include <sstream>

#include "exporter/detail/bundle.h"

namespace tessera::exporter {

namespace {

using runtime::ArgumentRole;
using runtime::Phase;

const char* role_text(ArgumentRole r) {
  switch (r) {
    case ArgumentRole::kInput: return "input";
    case ArgumentRole::kConstant: return "constant input";
    case ArgumentRole::kPrepared: return "prepared";
    case ArgumentRole::kOutput: return "output, every element is written";
  }
  return "";
}

std::string dtype_text(const Operand& o) {
  if (o.dtype == "f16") return "f16 (IEEE half, as its bits)";
  if (o.dtype == "bf16") return "bf16 (upper half of a float, as its bits)";
  if (o.dtype == "bool") return "bool (0 or 1)";
  return o.dtype;
}

std::string shape_text(const Operand& o) {
  std::string out = "[";
  for (std::size_t i = 0; i < o.shape.size(); ++i) out += (i == 0 ? "" : ", ") + std::to_string(o.shape[i]);
  return out + "]";
}

/// What the kernel counts on: nothing checks it.
std::string promise_text(const dsl::ValueRule& v) {
  switch (v.kind) {
    case dsl::ValueRule::Kind::kBelow: return ",\n *     values from 0 to " + std::to_string(v.limit - 1);
    case dsl::ValueRule::Kind::kOffsets: return ",\n *     values that never fall, from 0 to " + std::to_string(v.limit) + " in the last";
    default: return "";  // no value of another kind leads out of an operand
  }
}

void describe(std::ostream& out, const Operand& o, const char* what) {
  out << " *   " << o.name << ": " << what << ", " << dtype_text(o) << " " << shape_text(o) << " row-major, " << o.bytes
      << " bytes, aligned to " << o.alignment << promise_text(o.values) << "\n";
}

}  // namespace

void describe_parameters(std::ostream& out, const Bundle& b, Phase phase) {
  const bool run = phase == Phase::kRun;
  for (const Operand& o : b.operands) {
    if (!o.is_prepared() && !o.is_output() && (run ? o.in_run : o.in_prepare)) describe(out, o, role_text(o.role));
  }
  if (b.has_prepare()) {
    out << " *   prepared: " << (run ? "what " + b.name + "_prepare has filled" : std::string("is filled")) << ", "
        << b.prepared_bytes << " bytes, aligned to " << b.prepared_alignment << ", layout private\n";
  }
  for (const Operand& o : b.operands) {
    if (o.is_output() && run) describe(out, o, role_text(o.role));
  }
}

std::string upper(const std::string& s) {
  std::string out;
  for (const char c : s) out += c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c;
  return out;
}

std::string commented(const std::string& text) {
  std::string out;
  std::istringstream in(text);
  for (std::string line; std::getline(in, line);) out += " *   " + line + "\n";
  return out;
}

std::string header_text(const Bundle& b) {
  const std::string& n = b.name;
  const std::string guard = "TESSERA_EXPORT_" + upper(n) + "_H_";
  std::ostringstream out;
  out << "/* " << n << ": a tensor kernel exported by Tessera.\n";
  if (!b.description.empty()) out << " *\n" << commented(b.description);
  out << " *\n * Compiled for: " << b.target << "\n"
      << " * No function keeps global state, prints, or calls anything but the C library; all may be\n"
      << " * called from several threads at once. Operands may not overlap an output.\n"
      << " */\n#ifndef " << guard << "\n#define " << guard << "\n\n#include <stdint.h>\n\n#include \"tessera_kernel_abi.h\"\n\n"
      << R"(#ifdef __cplusplus
extern "C" {
#endif

#ifndef TESSERA_EXPORT_RESULTS_
#define TESSERA_EXPORT_RESULTS_
/* What a function returns. Any other value is the kernel's own: outputs are unspecified. */
enum {
  TESSERA_EXPORT_OK = 0,
  TESSERA_EXPORT_NULL_ARGUMENT = -1,
  TESSERA_EXPORT_MISALIGNED = -2,      /* a pointer has less than the stated alignment */
  TESSERA_EXPORT_UNSUPPORTED_CPU = -3, /* this processor lacks an instruction set */
  TESSERA_EXPORT_NO_WORKSPACE = -4,    /* host->workspace is null or not aligned to 64 */
  TESSERA_EXPORT_NO_MEMORY = -5        /* the workspace could not be allocated */
};
#endif

)";
  if (b.features.empty()) {
    out << "/* 1: the kernel needs no instruction set beyond its architecture's. */\n";
  } else {
    out << "/* 1 when this processor and operating system have what the kernel needs, else 0:\n *  ";
    std::size_t column = 3;
    for (const std::string& f : b.features) {
      if (column + f.size() > 95) {
        out << "\n *  ";
        column = 3;
      }
      out << " " << f;
      column += f.size() + 1;
    }
    out << " */\n";
  }
  out << "int " << n << "_supported(void);\n\n"
      << "/* Bytes that host->workspace must have for the functions below that take a host; 0: none. */\n"
      << "int64_t " << n << "_workspace_bytes(void);\n\n";
  if (b.has_prepare()) {
    out << "/* Bytes of the block that " << n << "_prepare fills. */\nint64_t " << n << "_prepared_bytes(void);\n\n"
        << "/* Packs constant operands, once for any number of runs.\n" << [&] {
             std::ostringstream p;
             describe_parameters(p, b, Phase::kPrepare);
             return p.str();
           }() << " */\nint32_t " << n << "_prepare(" << parameters(b, Phase::kPrepare) << ");\n\n"
        << "/* The same with what the caller lends. */\nint32_t " << n << "_prepare_with_host(" << parameters(b, Phase::kPrepare)
        << ", const tessera_host* host);\n\n";
  }
  out << "/* Runs the kernel on the calling thread.";
  if (b.needs_workspace(Phase::kRun)) out << " Allocates its workspace for the call.";
  out << "\n";
  describe_parameters(out, b, Phase::kRun);
  out << " */\nint32_t " << n << "(" << parameters(b, Phase::kRun) << ");\n\n"
      << "/* The same with what the caller lends: workspace, and a parallel_for that spreads the kernel over\n"
      << " * threads. `host` may be null when " << n << "_workspace_bytes() is 0. Allocates nothing. */\n"
      << "int32_t " << n << "_with_host(" << parameters(b, Phase::kRun) << ", const tessera_host* host);\n\n"
      << "/* The kernel by its raw calling convention (tessera_kernel_abi.h), checking nothing. Slots:\n";
  for (std::size_t i = 0; i < b.operands.size(); ++i) {
    const Operand& o = b.operands[i];
    out << " *   args[" << i << "] " << o.name << ", " << o.bytes << " bytes";
    if (o.is_prepared()) out << ", aligned to " << std::max(o.alignment, 64) << ", at prepared + " << o.prepared_offset;
    out << "\n";
  }
  out << " */\nint32_t " << n << "_entry(void** args, const tessera_host* host);\n";
  if (b.has_prepare()) out << "int32_t " << n << "_prepare_entry(void** args, const tessera_host* host);\n";
  out << "\n/* What a result means, for people. Never null. */\nconst char* " << n << "_error(int32_t result);\n\n"
      << "#ifdef __cplusplus\n} /* extern \"C\" */\n#endif\n\n#endif /* " << guard << " */\n";
  return out.str();
}

}  // namespace tessera::exporter
