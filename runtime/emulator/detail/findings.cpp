#include <array>

#include "runtime/emulator/detail/machine.h"

namespace tessera::runtime::emulator {

namespace {

constexpr std::size_t kMostFindings = 32;

constexpr std::array<const char*, kFindingKindCount> kKindNames{
    "out_of_bounds",   "misaligned",  "read_only",   "register_index", "stale_load",
    "uninitialised",   "shared_race", "global_race", "copy_race",      "barrier_divergence",
    "warp_divergence", "mask",        "deadlock",    "step_limit",     "trap",
    "not_reset"};

std::string text_of(const Extent3& e) {
  return "(" + std::to_string(e.x) + "," + std::to_string(e.y) + "," + std::to_string(e.z) + ")";
}

}  // namespace

std::string_view to_string(FindingKind kind) { return kKindNames[static_cast<std::size_t>(kind)]; }

std::string to_string(const Finding& f) {
  return "line " + std::to_string(f.line) + ", block " + text_of(f.block) + ", thread " +
         text_of(f.thread) + ": " + std::string(to_string(f.kind)) + ": " + f.message;
}

void Machine::find(FindingKind kind, int line, std::string message) {
  if (!reported_.emplace(static_cast<int>(kind), line).second) return;
  Finding f{kind, std::move(message), {0, 0, 0}, {0, 0, 0}, line};
  if (current_ != nullptr) {
    f.block = current_->block->at;
    f.thread = thread_at(current_->index);
  }
  findings_.push_back(std::move(f));
  if (findings_.size() >= kMostFindings) stopped_ = true;
}

Extent3 Machine::thread_at(std::uint16_t index) const {
  const Extent3& b = request_.block;
  return {index % b.x, index / b.x % b.y, index / (b.x * b.y)};
}

std::string Machine::accessor_text(const Epoch& e) const {
  return "thread " + text_of(thread_at(e.thread)) + " of block " + text_of(block_at_.at(e.block)) +
         " in line " + std::to_string(e.line);
}

std::string Machine::name_of(const Buffer& buffer) {
  return buffer.argument == kCounter ? "a counter" : "argument " + std::to_string(buffer.argument);
}

std::string Machine::name_of(const Place& place) const {
  return "byte " + std::to_string(place.offset) + " of " +
         (place.buffer == nullptr ? "the shared arena" : name_of(*place.buffer));
}

void Machine::race(const Epoch& other, const char* mine, const char* theirs, const Place& place,
                   int line) {
  if (other.clock == kPending) {
    find(FindingKind::kCopyRace, line,
         std::string(mine) + " " + name_of(place) + " while the asynchronous copy of " +
             accessor_text(other) + " has not been waited for");
    return;
  }
  find(place.buffer == nullptr ? FindingKind::kSharedRace : FindingKind::kGlobalRace, line,
       std::string(mine) + " " + name_of(place) + " with no order after " + theirs + " by " +
           accessor_text(other));
}

std::string Machine::out_of_bounds_text(const std::byte* p, int bytes, const char* verb) const {
  const auto at = reinterpret_cast<std::intptr_t>(p);
  const Buffer* nearest = nullptr;
  std::intptr_t least = INTPTR_MAX, offset = 0;
  for (const Buffer& b : buffers_) {
    const auto base = reinterpret_cast<std::intptr_t>(b.base);
    const std::intptr_t far = at < base ? base - at : at > base + b.bytes ? at - base - b.bytes : 0;
    if (far >= least) continue;
    least = far;
    nearest = &b;
    offset = at - base;
  }
  std::string text = std::string(verb) + " " + std::to_string(bytes) + " bytes at ";
  if (nearest == nullptr || least > (std::intptr_t{32} << 20))
    return text + "an address in no argument";
  return text + "offset " + std::to_string(offset) + " of " + name_of(*nearest) + ", which has " + std::to_string(nearest->bytes);
}

void Machine::trap(int line) {
  find(FindingKind::kTrap, line, "the kernel traps");
  stop();
}

void Machine::bad_index(std::int64_t index, std::int64_t size, int line) {
  find(FindingKind::kRegisterIndex, line,
       "index " + std::to_string(index) + " of a register array of " + std::to_string(size));
}

}  // namespace tessera::runtime::emulator
