// Memory for running code that may be wrong: between two stretches of address space that fault on
// any access, with the bytes that cannot fault checked afterwards. Costs address space, hardly
// time.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>

#include "runtime/kernel_image.h"
#include "support/result.h"

namespace tessera::runtime {

/// Where the usable bytes touch a guard. No placement alone sees both ends: whole pages can only be
/// fenced on one side exactly.
enum class Placement : std::uint8_t {
  kRight,  // the end lies within alignment - 1 bytes of the guard behind
  kLeft,   // the beginning touches the guard before
};

class GuardedBuffer {
 public:
  /// Zero bytes are allowed. `guard_bytes` on each side are rounded up to pages.
  /// The refusal says that the memory is not to be had.
  static Result<GuardedBuffer> create(std::string name, std::int64_t bytes, int alignment,
                                      std::int64_t guard_bytes, Placement placement);
  GuardedBuffer(GuardedBuffer&& o) noexcept;
  GuardedBuffer& operator=(GuardedBuffer&&) = delete;
  ~GuardedBuffer();

  const std::string& name() const { return name_; }
  std::byte* data() const { return data_; }
  std::int64_t bytes() const { return bytes_; }
  std::span<std::byte> span() const { return {data_, static_cast<std::size_t>(bytes_)}; }

  void fill(std::byte value) const;
  /// Whether writing to it, slack included, faults from now on.
  void protect(bool read_only);
  bool read_only() const { return read_only_; }

  /// Offset from data() of a byte outside [0, bytes) that was written, if any.
  std::optional<std::int64_t> overwritten() const;

  /// Everything mapped, guards included.
  std::byte* reserved_begin() const { return reserved_; }
  std::byte* reserved_end() const { return reserved_ + reserved_bytes_; }

 private:
  GuardedBuffer() = default;
  std::span<std::byte> before() const;  // accessible bytes in front of data
  std::span<std::byte> behind() const;

  std::string name_;
  std::byte* reserved_ = nullptr;
  std::byte* accessible_ = nullptr;
  std::byte* data_ = nullptr;
  std::int64_t reserved_bytes_ = 0, accessible_bytes_ = 0, bytes_ = 0;
  bool read_only_ = false;
};

/// At least 1 MiB, and twice the largest stride in bytes of an axis longer than one, so that a
/// wrong index in any one axis lands in the guard.
std::int64_t guard_bytes_for(const ArgumentContract& argument);

}  // namespace tessera::runtime
