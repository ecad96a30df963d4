// Cooperative threads: a stack each, switched without a system call.
#pragma once

#include <cstddef>
#include <vector>

namespace tessera::runtime::emulator {

/// A point where execution can be taken up again.
struct Fiber {
  void* stack_pointer = nullptr;
};

/// Prepares `fiber` to run `body(argument)` on the stack [stack, stack + bytes). `body` never
/// returns.
void prepare_fiber(Fiber& fiber, std::byte* stack, std::size_t bytes, void (*body)(void*),
                   void* argument);

/// Goes on with `to`; returns when somebody switches back to `from`.
void switch_fiber(Fiber& from, Fiber& to);

/// Stacks with a page below each that faults. Freed together.
class StackPool {
 public:
  static constexpr std::size_t kStackBytes = 64 << 10;
  StackPool() = default;
  ~StackPool();
  StackPool(const StackPool&) = delete;
  StackPool& operator=(const StackPool&) = delete;
  std::byte* take();
  void give(std::byte* stack) { free_.push_back(stack); }

 private:
  struct Region {
    void* base;
    std::size_t bytes;
  };
  std::vector<Region> regions_;
  std::vector<std::byte*> free_;
};

}  // namespace tessera::runtime::emulator
