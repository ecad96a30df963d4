// A compiled kernel: bytes, and everything a loader must know to call them. Produced by codegen,
// consumed by the runtimes, the log and the exporter. A plain value; nothing is mapped or executed
// by holding one. The CPU calling convention is runtime/kernel_abi.h.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "ir/type.h"
#include "support/result.h"

namespace tessera::runtime {

/// What an argument of a kernel is for.
enum class ArgumentRole : std::uint8_t {
  kInput,     // given at every call
  kConstant,  // given once; the `prepare` phase may read it
  kPrepared,  // filled by the `prepare` phase from constants, read by `run`
  kOutput,    // every element written by `run`
};

/// What the caller guarantees about one argument, and the kernel relies on.
struct ArgumentContract {
  std::string name;
  ir::Type dtype;                   // of one element, one lane
  std::vector<std::int64_t> shape;  // extents of the memory layout, outermost first, dense
  std::int64_t bytes = 0;           // length of the memory; at least shape x element
  int alignment = 0;                // of the pointer in bytes, a power of two; at least the element
  ArgumentRole role = ArgumentRole::kInput;

  bool operator==(const ArgumentContract&) const = default;
};

enum class Phase : std::uint8_t { kPrepare, kRun };

/// What one slot of a launch carries. CPU launches use kTensor only.
enum class LaunchArgumentKind : std::uint8_t {
  kTensor,     // value: index into KernelImage::arguments
  kScalar,     // value: the bits
  kTensorMap,  // value: index into the tensor-map descriptions (with the GPU runtime)
  kWorkspace,  // value: byte offset into the workspace
};
struct LaunchArgument {
  LaunchArgumentKind kind = LaunchArgumentKind::kTensor;
  std::int64_t value = 0;

  bool operator==(const LaunchArgument&) const = default;
};

struct Extent3 {
  std::int64_t x = 1, y = 1, z = 1;

  bool operator==(const Extent3&) const = default;
};

/// One call of an entry. Launches of a phase happen in the order of the list.
/// On a CPU every launch receives all argument slots (kernel_abi.h); `arguments` says which it
/// touches. On a GPU `arguments` are the kernel's parameters in order.
struct Launch {
  std::string entry;
  Phase phase = Phase::kRun;
  std::vector<LaunchArgument> arguments;
  std::int64_t workspace_offset = 0;  // where this launch's part of the workspace begins, in bytes
  Extent3 grid, block, cluster;       // GPU only
  std::int64_t shared_bytes = 0;      // GPU only: dynamic shared memory of a block

  bool operator==(const Launch&) const = default;
};

/// A function of the object, by symbol name.
struct Entry {
  std::string name;

  bool operator==(const Entry&) const = default;
};

struct ByteRange {
  std::int64_t offset = 0, bytes = 0;

  bool operator==(const ByteRange&) const = default;
};

/// What the compiler had to say. Informative only.
struct BuildReport {
  double compile_ms = 0;
  std::vector<std::string> notes;
  // GPU only, as the assembler's log states them; 0 elsewhere.
  int registers_per_thread = 0;
  std::int64_t spill_bytes = 0, static_shared_bytes = 0;
  std::uint64_t source_hash = 0;  // of the text that was compiled

  bool operator==(const BuildReport&) const = default;
};

struct KernelImage {
  std::string target;             // as printed in logs, e.g. "cpu -mcpu=znver5"
  std::vector<std::byte> object;  // CPU: ELF relocatable; CUDA: cubin
  std::vector<Entry> entries;
  std::vector<Launch> launches;
  std::int64_t workspace_bytes = 0;  // one per call, aligned to 64 bytes
  std::int64_t per_thread_workspace_bytes =
      0;                               // 0 on a CPU: a loop body keeps scratch on its stack
  std::vector<ByteRange> zero_ranges;  // of the workspace: zero before every `run`
  std::vector<ArgumentContract> arguments;
  std::vector<std::string> symbolic_dims;  // names in order; empty at present
  BuildReport build;
  /// Above 1: an algorithm that rounds otherwise than the definition. Results are held against the
  /// definition's bounds times this; those on exact operands need not be exact.
  double error_factor = 1;
  /// Multiply-adds the algorithm needs, as a share of the definition's.
  double work_share = 1;

  bool operator==(const KernelImage&) const = default;
  bool has_phase(Phase phase) const;
  const ArgumentContract* find_argument(std::string_view name) const;  // null when there is none
};

/// First thing that does not hold among: entries exist and are C identifiers, indexes are in range,
/// shapes and bytes agree without overflow, alignments are powers of two, ranges lie inside the
/// workspace, argument names are unique, there is something to run.
Status check_image(const KernelImage& image);

/// Compact bytes for pipes between processes of one build (not a file format).
std::vector<std::byte> encode(const KernelImage& image);
/// Inverse of encode; refuses damaged bytes and images that check_image refuses.
Result<KernelImage> decode_image(std::span<const std::byte> bytes);

}  // namespace tessera::runtime
