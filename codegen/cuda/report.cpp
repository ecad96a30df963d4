#include "codegen/cuda/report.h"

#include <regex>
#include <sstream>

namespace tessera::codegen {

namespace {

/// The integer before `words` in `line`; 0 when they are not there.
std::int64_t number_before(const std::string& line, const std::string& words) {
  std::size_t at = line.find(words);
  if (at == std::string::npos) return 0;
  while (at > 0 && line[at - 1] == ' ') --at;
  std::size_t from = at;
  while (from > 0 && std::isdigit(static_cast<unsigned char>(line[from - 1])) != 0) --from;
  return from == at ? 0 : std::stoll(line.substr(from, std::min<std::size_t>(at - from, 18)));
}

bool has(const std::string& line, const char* words) { return line.find(words) != std::string::npos; }

/// The text between the first pair of single quotes.
std::string quoted_name(const std::string& line) {
  const std::size_t from = line.find('\''), to = line.find('\'', from == std::string::npos ? from : from + 1);
  return to == std::string::npos ? "" : line.substr(from + 1, to - from - 1);
}

}  // namespace

const EntryReport* CudaReport::find(const std::string& name) const {
  for (const EntryReport& e : entries) {
    if (e.name == name) return &e;
  }
  return nullptr;
}

CudaReport parse_report(const std::string& log) {
  static const std::regex coded("C7[0-9]{3}\\b");
  CudaReport out;
  std::istringstream in(log);
  std::string line;
  bool in_entry = false;  // figures of device functions that were not inlined are no kernel's
  while (std::getline(in, line)) {
    std::smatch code;
    if (std::regex_search(line, code, coded)) {
      out.coded.push_back({code.str(), line.substr(static_cast<std::size_t>(code.position()))});
    } else if (has(line, "Compiling entry function")) {
      out.entries.push_back({.name = quoted_name(line)});
      in_entry = true;
    } else if (has(line, "Function properties for")) {
      in_entry = !out.entries.empty() && line.substr(line.rfind(' ') + 1) == out.entries.back().name;
    } else if (has(line, "bytes stack frame") && in_entry) {
      EntryReport& e = out.entries.back();
      e.stack_bytes = number_before(line, "bytes stack frame");
      e.spill_store_bytes = number_before(line, "bytes spill stores");
      e.spill_load_bytes = number_before(line, "bytes spill loads");
    } else if (has(line, "Used ") && has(line, " registers") && !out.entries.empty()) {
      EntryReport& e = out.entries.back();
      e.registers = static_cast<int>(number_before(line, "registers"));
      e.barriers = static_cast<int>(number_before(line, "barriers"));
      e.shared_bytes = number_before(line, "bytes smem");
    } else if (has(line, "warning") && !has(line, "Local memory used") &&
               !has(line, "Registers are spilled")) {
      out.warnings.push_back(line);
    }
  }
  return out;
}

Status accept_report(const CudaReport& report, SketchKind kind, std::int64_t private_bytes) {
  for (const CodedDiagnostic& d : report.coded) {
    if (d.code.starts_with("C75") || d.code.starts_with("C76"))
      return refuse("the assembler gave up a pipeline: ", d.text);
  }
  for (const EntryReport& e : report.entries) {
    const std::int64_t most = kind == SketchKind::kTensorCore ? 0 : kMostSpillBytesSimt;
    if (e.spill_bytes() > most) {
      return refuse("kernel '", e.name, "' spills ", e.spill_bytes(), " bytes a thread with ", e.registers,
                    " registers; at most ", most,
                    kind == SketchKind::kTensorCore ? " in tensor-core kernels" : "",
                    ": a smaller tile needs fewer");
    }
    // What the frame holds beyond spills are arrays whose indices are not constant after unrolling. Spilled
    // values are aligned, so the frame may be a little larger than they.
    if (e.stack_bytes > e.spill_store_bytes + 16 + private_bytes) {
      return refuse("kernel '", e.name, "' keeps ", e.stack_bytes,
                    " bytes a thread in local memory: a loop that indexes registers is not unrolled");
    }
  }
  return Done{};
}

}  // namespace tessera::codegen
