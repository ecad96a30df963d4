// What a program is compiled for. Text form (logs, --target):
//
//   cpu                                         this machine
//   cpu -mcpu=x86-64-v3                         another CPU of this machine's architecture
//   cpu -mcpu=skylake-avx512 -mattr=-avx512vnni -mtriple=x86_64-linux-gnu
//   cuda -arch=sm_90a
//   cuda -arch=sm_90a -allow=tf32               products of f32 may round their factors to tf32
#pragma once

#include <cstdint>
#include <string>

#include "support/result.h"

namespace tessera::ir {

enum class TargetKind : std::uint8_t { kCpu, kCuda };

/// `cpu`, `triple` and `features` are empty until a code generator has resolved the host
/// (codegen/llvm/target.h); then they are explicit, and `text` rebuilds exactly this target.
struct Target {
  TargetKind kind = TargetKind::kCpu;
  std::string triple, cpu, features;  // LLVM's names; features as "+avx2,-avx512f"
  std::string arch;                   // CUDA: sm_XX
  bool allow_tf32 = false;            // CUDA: factors of f32 may be rounded to tf32, for tensor cores
  int vector_bytes = 16;
  int vector_registers = 16;
  bool operator==(const Target&) const = default;

  /// The text form.
  std::string text() const;
  int lanes(int element_bytes) const { return vector_bytes / element_bytes; }
};

/// Refuses unknown kinds and flags, naming what is known.
Result<Target> parse_target(const std::string& text);

}  // namespace tessera::ir
