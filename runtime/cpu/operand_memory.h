// The memory one candidate runs on: fenced for checking, plain for timing.
#pragma once

#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "runtime/cpu/data_set.h"
#include "runtime/cpu/guarded_buffer.h"
#include "runtime/kernel_image.h"

namespace tessera::runtime {

/// Where the arguments of an image and its workspace are.
struct OperandMemory {
  std::vector<std::span<std::byte>> arguments;  // in the image's order
  std::span<std::byte> workspace;
};

/// Copies the inputs and constants of `set` into place. Refuses when one is missing or has another
/// length than the image states.
Status load_operands(const KernelImage& image, const OperandSetView& set,
                     const OperandMemory& memory);

/// Fills outputs and workspace, and the prepared operands too when asked.
void poison(const KernelImage& image, const OperandMemory& memory, std::byte value, bool prepared);

/// One guarded buffer per argument and one for the workspace, known to the fault guard.
class GuardedOperands {
 public:
  static Result<GuardedOperands> create(const KernelImage& image, Placement placement);

  const OperandMemory& memory() const { return memory_; }
  /// Makes arguments of `role` readable only.
  void protect(const KernelImage& image, ArgumentRole role);
  /// A sentence about a byte written between a buffer's end and its guard, if there is one.
  std::optional<std::string> overwritten() const;

 private:
  std::vector<GuardedBuffer> buffers_;  // the arguments in order, then the workspace
  OperandMemory memory_;
};

/// Everything in one mapping, as an allocator would give it: 64-byte aligned at least, on huge
/// pages where the system has them.
class PlainOperands {
 public:
  static Result<PlainOperands> create(const KernelImage& image);
  PlainOperands(PlainOperands&& o) noexcept;
  PlainOperands& operator=(PlainOperands&&) = delete;
  ~PlainOperands();

  const OperandMemory& memory() const { return memory_; }

 private:
  PlainOperands() = default;
  std::byte* mapped_ = nullptr;
  std::size_t mapped_bytes_ = 0;
  OperandMemory memory_;
};

}  // namespace tessera::runtime
