#include "runtime/cpu/guarded_buffer.h"

#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

namespace tessera::runtime {

namespace {

constexpr std::int64_t kSmallestGuard = 1 << 20;
// A huge number in every float width, so that reading it spoils a result as well.
constexpr std::byte kCanary{0xfb};

std::int64_t round_up(std::int64_t x, std::int64_t step) { return (x + step - 1) / step * step; }

std::optional<std::int64_t> first_change(std::span<const std::byte> bytes) {
  const auto it =
      std::find_if(bytes.begin(), bytes.end(), [](std::byte b) { return b != kCanary; });
  if (it == bytes.end()) return std::nullopt;
  return it - bytes.begin();
}

}  // namespace

Result<GuardedBuffer> GuardedBuffer::create(std::string name, std::int64_t bytes, int alignment,
                                            std::int64_t guard_bytes, Placement placement) {
  const std::int64_t page = ::sysconf(_SC_PAGESIZE);
  const std::int64_t step =
      std::max<std::int64_t>(page, alignment);  // an alignment may exceed a page
  GuardedBuffer b;
  b.name_ = std::move(name);
  b.bytes_ = bytes;
  b.accessible_bytes_ = round_up(std::max<std::int64_t>(bytes, 1), step);
  const std::int64_t guard = round_up(guard_bytes, step);
  b.reserved_bytes_ = 2 * guard + b.accessible_bytes_ + step;
  void* p = ::mmap(nullptr, static_cast<std::size_t>(b.reserved_bytes_), PROT_NONE,
                   MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (p == MAP_FAILED)
    return refuse("no memory for '", b.name_, "' of ", bytes, " bytes: ", std::strerror(errno));
  b.reserved_ = static_cast<std::byte*>(p);
  const auto address = reinterpret_cast<std::intptr_t>(p);
  b.accessible_ = b.reserved_ + (round_up(address + guard, step) - address);
  if (::mprotect(b.accessible_, static_cast<std::size_t>(b.accessible_bytes_),
                 PROT_READ | PROT_WRITE) != 0)
    return refuse("no memory for '", b.name_, "' of ", bytes, " bytes: ", std::strerror(errno));
  b.data_ = placement == Placement::kLeft
                ? b.accessible_
                : b.accessible_ + b.accessible_bytes_ - round_up(bytes, alignment);
  std::ranges::fill(b.before(), kCanary);
  std::ranges::fill(b.behind(), kCanary);
  return b;
}

GuardedBuffer::GuardedBuffer(GuardedBuffer&& o) noexcept
    : name_(std::move(o.name_)),
      reserved_(std::exchange(o.reserved_, nullptr)),
      accessible_(o.accessible_),
      data_(o.data_),
      reserved_bytes_(o.reserved_bytes_),
      accessible_bytes_(o.accessible_bytes_),
      bytes_(o.bytes_),
      read_only_(o.read_only_) {}

GuardedBuffer::~GuardedBuffer() {
  if (reserved_ != nullptr) ::munmap(reserved_, static_cast<std::size_t>(reserved_bytes_));
}

std::span<std::byte> GuardedBuffer::before() const { return {accessible_, data_}; }
std::span<std::byte> GuardedBuffer::behind() const {
  return {data_ + bytes_, accessible_ + accessible_bytes_};
}

void GuardedBuffer::fill(std::byte value) const { std::ranges::fill(span(), value); }

void GuardedBuffer::protect(bool read_only) {
  const int access = read_only ? PROT_READ : PROT_READ | PROT_WRITE;
  if (::mprotect(accessible_, static_cast<std::size_t>(accessible_bytes_), access) == 0)
    read_only_ = read_only;
}

std::optional<std::int64_t> GuardedBuffer::overwritten() const {
  if (const auto at = first_change(before()))
    return *at - static_cast<std::int64_t>(before().size());
  if (const auto at = first_change(behind())) return bytes_ + *at;
  return std::nullopt;
}

std::int64_t guard_bytes_for(const ArgumentContract& argument) {
  std::int64_t stride = argument.dtype.bytes(), largest = 0;
  for (auto extent = argument.shape.rbegin(); extent != argument.shape.rend(); ++extent) {
    if (*extent > 1) largest = std::max(largest, stride);
    stride *= std::max<std::int64_t>(*extent, 1);
  }
  return std::max(kSmallestGuard, 2 * largest);
}

}  // namespace tessera::runtime
