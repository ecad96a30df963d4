#include "runtime/cpu/operand_memory.h"

#include <sys/mman.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

#include "runtime/cpu/fault_guard.h"

namespace tessera::runtime {

namespace {

constexpr std::int64_t kHugePage = 2 << 20;
constexpr std::int64_t kWorkspaceAlignment = 64;
constexpr std::int64_t kWorkspaceGuard = 1 << 20;
// Buffers of whole pages would otherwise all begin at the same offset of a page, and loads and
// stores of different operands would wait for each other (4 KiB aliasing).
constexpr std::int64_t kStagger = 5 * 64;

std::int64_t round_up(std::int64_t x, std::int64_t step) { return (x + step - 1) / step * step; }

}  // namespace

Status load_operands(const KernelImage& image, const OperandSetView& set,
                     const OperandMemory& memory) {
  for (std::size_t i = 0; i < image.arguments.size(); ++i) {
    const ArgumentContract& a = image.arguments[i];
    if (a.role != ArgumentRole::kInput && a.role != ArgumentRole::kConstant) continue;
    const OperandView* o = set.input(a.name);
    if (o == nullptr) return refuse("no data for the operand '", a.name, "'");
    if (o->bytes.size() != memory.arguments[i].size())
      return refuse("data of ", o->bytes.size(), " bytes for the operand '", a.name, "' of ",
                    a.bytes);
    std::ranges::copy(o->bytes, memory.arguments[i].begin());
  }
  return Done{};
}

void poison(const KernelImage& image, const OperandMemory& memory, std::byte value, bool prepared) {
  for (std::size_t i = 0; i < image.arguments.size(); ++i) {
    const ArgumentRole role = image.arguments[i].role;
    if (role == ArgumentRole::kOutput || (prepared && role == ArgumentRole::kPrepared))
      std::ranges::fill(memory.arguments[i], value);
  }
  std::ranges::fill(memory.workspace, value);
}

Result<GuardedOperands> GuardedOperands::create(const KernelImage& image, Placement placement) {
  GuardedOperands out;
  out.buffers_.reserve(image.arguments.size() + 1);  // the fault guard keeps pointers to the names
  for (const ArgumentContract& a : image.arguments) {
    TESSERA_TRY(buffer,
                GuardedBuffer::create(a.name, a.bytes, a.alignment, guard_bytes_for(a), placement));
    out.memory_.arguments.push_back(buffer.span());
    out.buffers_.push_back(std::move(buffer));
  }
  TESSERA_TRY(workspace, GuardedBuffer::create("workspace", image.workspace_bytes,
                                               kWorkspaceAlignment, kWorkspaceGuard, placement));
  out.memory_.workspace = workspace.span();
  out.buffers_.push_back(std::move(workspace));
  for (const GuardedBuffer& b : out.buffers_)
    add_fault_region({b.name().c_str(), b.reserved_begin(), b.reserved_end(), b.data(),
                      static_cast<std::size_t>(b.bytes())});
  return out;
}

void GuardedOperands::protect(const KernelImage& image, ArgumentRole role) {
  for (std::size_t i = 0; i < image.arguments.size(); ++i)
    if (image.arguments[i].role == role) buffers_[i].protect(true);
}

std::optional<std::string> GuardedOperands::overwritten() const {
  for (const GuardedBuffer& b : buffers_)
    if (const auto at = b.overwritten())
      return "write at byte " + std::to_string(*at) + " of '" + b.name() + "', which has " +
             std::to_string(b.bytes()) + " bytes";
  return std::nullopt;
}

Result<PlainOperands> PlainOperands::create(const KernelImage& image) {
  std::int64_t end = 0, alignment = kHugePage;
  std::vector<std::int64_t> offsets;
  const auto place = [&](std::int64_t bytes, std::int64_t align) {
    alignment = std::max(alignment, align);
    end = round_up(end, std::max<std::int64_t>(align, 64));
    offsets.push_back(end);
    end += bytes + kStagger;
  };
  for (const ArgumentContract& a : image.arguments) place(a.bytes, a.alignment);
  place(image.workspace_bytes, kWorkspaceAlignment);

  PlainOperands out;
  out.mapped_bytes_ = static_cast<std::size_t>(round_up(end, kHugePage) + alignment);
  void* p = ::mmap(nullptr, out.mapped_bytes_, PROT_READ | PROT_WRITE,
                   MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (p == MAP_FAILED)
    return refuse("no memory for operands of ", end, " bytes: ", std::strerror(errno));
  out.mapped_ = static_cast<std::byte*>(p);
  ::madvise(p, out.mapped_bytes_, MADV_HUGEPAGE);
  const auto address = reinterpret_cast<std::intptr_t>(p);
  std::byte* base = out.mapped_ + (round_up(address, alignment) - address);
  for (std::size_t i = 0; i < image.arguments.size(); ++i)
    out.memory_.arguments.emplace_back(base + offsets[i],
                                       static_cast<std::size_t>(image.arguments[i].bytes));
  out.memory_.workspace = {base + offsets.back(), static_cast<std::size_t>(image.workspace_bytes)};
  return out;
}

PlainOperands::PlainOperands(PlainOperands&& o) noexcept
    : mapped_(std::exchange(o.mapped_, nullptr)),
      mapped_bytes_(o.mapped_bytes_),
      memory_(std::move(o.memory_)) {}

PlainOperands::~PlainOperands() {
  if (mapped_ != nullptr) ::munmap(mapped_, mapped_bytes_);
}

}  // namespace tessera::runtime
