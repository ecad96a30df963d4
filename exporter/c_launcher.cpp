// NAME_launcher.c: the typed functions over the object.
#include <algorithm>
#include <sstream>

#include "exporter/detail/bundle.h"

namespace tessera::exporter {

namespace {

using runtime::Phase;

/// `static int32_t NAME(args, host)`: the launches of a phase in order.
std::string phase_function(const Bundle& b, Phase phase, const std::string& signature) {
  std::ostringstream out;
  out << signature << " {\n";
  const bool zero = phase == Phase::kRun && !b.zero_ranges.empty();
  const bool offsets = std::any_of(b.launches.begin(), b.launches.end(), [&](const runtime::Launch& l) {
    return l.phase == phase && l.workspace_offset != 0;
  });
  // Every launch gets a host: its loops look for parallel_for there.
  out << "  tessera_host own;\n"
         "  int32_t result = 0;\n"
         "  memset(&own, 0, sizeof own);\n"
         "  if (host != NULL) own = *host;\n";
  if (zero || offsets) out << "  char* workspace = (char*)own.workspace;\n";
  if (zero) {
    for (const runtime::ByteRange& z : b.zero_ranges) {
      out << "  memset(workspace + " << z.offset << ", 0, (size_t)" << z.bytes << ");\n";
    }
  }
  for (std::size_t i = 0; i < b.launches.size(); ++i) {
    const runtime::Launch& l = b.launches[i];
    if (l.phase != phase) continue;
    if (offsets) out << "  own.workspace = workspace + " << l.workspace_offset << ";\n";
    out << "  if (result == 0) result = " << b.symbols[i] << "(args, &own);\n";
  }
  out << "  return result;\n}\n\n";
  return out.str();
}

/// Checks, slots and the call of a typed function that takes a host.
std::string typed_with_host(const Bundle& b, Phase phase) {
  const bool run = phase == Phase::kRun;
  const std::string entry = b.name + (run ? "_entry" : "_prepare_entry");
  std::ostringstream out;
  out << "int32_t " << b.name << (run ? "" : "_prepare") << "_with_host(" << parameters(b, phase)
      << ", const tessera_host* host) {\n  void* args[" << b.operands.size() << "];\n"
      << "  if (!supported()) return TESSERA_EXPORT_UNSUPPORTED_CPU;\n";
  bool prepared = false;
  std::string nulls, misaligned;
  const auto check = [&](const std::string& name, int alignment) {
    nulls += (nulls.empty() ? "" : " || ") + name + " == NULL";
    if (alignment > 1) misaligned += (misaligned.empty() ? "" : " || ") + ("!aligned(" + name + ", " + std::to_string(alignment) + ")");
  };
  for (const Operand& o : b.operands) {
    if (o.is_prepared()) {
      if (!prepared) check("prepared", b.prepared_alignment);
      prepared = true;
    } else if (run ? o.in_run : o.in_prepare) {
      check(o.name, o.alignment);
    }
  }
  if (!nulls.empty()) out << "  if (" << nulls << ") return TESSERA_EXPORT_NULL_ARGUMENT;\n";
  if (!misaligned.empty()) out << "  if (" << misaligned << ") return TESSERA_EXPORT_MISALIGNED;\n";
  if (b.needs_workspace(phase)) {
    out << "  if (host == NULL || host->workspace == NULL || !aligned(host->workspace, 64)) return TESSERA_EXPORT_NO_WORKSPACE;\n";
  }
  for (std::size_t i = 0; i < b.operands.size(); ++i) {
    const Operand& o = b.operands[i];
    out << "  args[" << i << "] = ";
    if (o.is_prepared()) {
      out << "(char*)(uintptr_t)prepared + " << o.prepared_offset << ";\n";
    } else if (run ? o.in_run : o.in_prepare) {
      out << "(void*)(uintptr_t)" << o.name << ";\n";
    } else {
      out << "NULL; /* " << o.name << ", not of this phase */\n";
    }
  }
  out << "  return " << entry << "(args, host);\n}\n\n";
  return out.str();
}

std::string typed(const Bundle& b, Phase phase) {
  const std::string base = b.name + (phase == Phase::kRun ? "" : "_prepare");
  std::ostringstream out;
  out << "int32_t " << base << "(" << parameters(b, phase) << ") {\n";
  if (b.needs_workspace(phase)) {
    const std::int64_t rounded = (b.workspace_bytes + 63) / 64 * 64;
    out << "  tessera_host host;\n  int32_t result;\n  memset(&host, 0, sizeof host);\n"
        << "  host.workspace = aligned_alloc(64, (size_t)" << rounded << ");\n"
        << "  if (host.workspace == NULL) return TESSERA_EXPORT_NO_MEMORY;\n"
        << "  result = " << base << "_with_host(" << parameters(b, phase, true) << ", &host);\n"
        << "  free(host.workspace);\n  return result;\n}\n\n";
  } else {
    out << "  return " << base << "_with_host(" << parameters(b, phase, true) << ", NULL);\n}\n\n";
  }
  return out.str();
}

bool any_alignment(const Bundle& b) {
  return b.workspace_bytes > 0 || b.has_prepare() ||
         std::any_of(b.operands.begin(), b.operands.end(), [](const Operand& o) { return o.alignment > 1; });
}

}  // namespace

std::string launcher_text(const Bundle& b) {
  const std::string& n = b.name;
  std::ostringstream out;
  out << "/* The functions of " << n << ".h over the kernel in " << n << ".o. Compile with -std=c11 or later and\n"
      << " * link both, or use lib" << n << ".so, which is both. */\n"
      << "#include \"" << n << ".h\"\n\n#include <stdatomic.h>\n#include <stddef.h>\n#include <stdlib.h>\n#include <string.h>\n\n"
      << isa_gate_text(b) << "\n";
  std::vector<std::string> seen;
  for (const std::string& s : b.symbols) {
    if (std::find(seen.begin(), seen.end(), s) != seen.end()) continue;
    out << "int32_t " << s << "(void** args, const tessera_host* host);\n";
    seen.push_back(s);
  }
  out << "\n";
  if (any_alignment(b)) {
    out << "static int aligned(const void* p, unsigned bytes) { return ((uintptr_t)p & (bytes - 1U)) == 0; }\n\n";
  }
  out << "int " << n << "_supported(void) { return supported(); }\n\n"
      << "int64_t " << n << "_workspace_bytes(void) { return " << b.workspace_bytes << "; }\n\n";
  if (b.has_prepare()) {
    out << "int64_t " << n << "_prepared_bytes(void) { return " << b.prepared_bytes << "; }\n\n"
        << phase_function(b, Phase::kPrepare, "int32_t " + n + "_prepare_entry(void** args, const tessera_host* host)")
        << typed_with_host(b, Phase::kPrepare) << typed(b, Phase::kPrepare);
  }
  out << phase_function(b, Phase::kRun, "int32_t " + n + "_entry(void** args, const tessera_host* host)")
      << typed_with_host(b, Phase::kRun) << typed(b, Phase::kRun)
      << "const char* " << n << R"(_error(int32_t result) {
  switch (result) {
    case TESSERA_EXPORT_OK: return "success";
    case TESSERA_EXPORT_NULL_ARGUMENT: return "an argument is null";
    case TESSERA_EXPORT_MISALIGNED: return "an argument has less alignment than the header asks for";
    case TESSERA_EXPORT_UNSUPPORTED_CPU: return "this processor lacks an instruction set that the kernel was compiled for";
    case TESSERA_EXPORT_NO_WORKSPACE: return "host->workspace is null or not aligned to 64 bytes";
    case TESSERA_EXPORT_NO_MEMORY: return "out of memory";
    default: return "the kernel failed";
  }
}
)";
  return out.str();
}

}  // namespace tessera::exporter
