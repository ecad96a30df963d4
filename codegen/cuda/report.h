// What the assembler says about CUDA code (ptxas -v, through NVRTC's log), and what of it ends a candidate.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "support/result.h"

namespace tessera::codegen {

/// A diagnostic that carries a number: C7510, C7602, ...
struct CodedDiagnostic {
  std::string code, text;  // text: the line from the code on

  bool operator==(const CodedDiagnostic&) const = default;
};

/// One kernel. Bytes are those of one thread, shared bytes those of a block.
struct EntryReport {
  std::string name;
  int registers = 0, barriers = 0;
  std::int64_t stack_bytes = 0;  // frame in local memory: spills, and arrays that are not in registers
  std::int64_t spill_store_bytes = 0, spill_load_bytes = 0;
  std::int64_t shared_bytes = 0;  // static

  std::int64_t spill_bytes() const {
    return spill_store_bytes > spill_load_bytes ? spill_store_bytes : spill_load_bytes;
  }
  bool operator==(const EntryReport&) const = default;
};

struct CudaReport {
  std::vector<EntryReport> entries{};    // in the order of the log
  std::vector<CodedDiagnostic> coded{};  // pipelines of asynchronous tensor-core instructions gone wrong, ...
  std::vector<std::string> warnings{};   // the rest; those that only repeat an entry's figures are left out

  /// Null when the log says nothing of it.
  const EntryReport* find(const std::string& name) const;
  bool operator==(const CudaReport&) const = default;
};

/// Lines that mean nothing to us are passed over: other versions word some differently.
CudaReport parse_report(const std::string& log);

/// How much a kernel may spill. Tensor-core kernels keep their pipelines only without.
enum class SketchKind : std::uint8_t { kSimt, kTensorCore };
inline constexpr std::int64_t kMostSpillBytesSimt = 64;

/// Refuses code that compiled but is no candidate, one reason: coded diagnostics C75xx (the pipeline was
/// serialised) and C76xx, spills, arrays in local memory beyond the `private_bytes` that belong there.
Status accept_report(const CudaReport& report, SketchKind kind, std::int64_t private_bytes = 0);

}  // namespace tessera::codegen
