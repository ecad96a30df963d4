#include "runtime/emulator/detail/fiber.h"

#include <sys/mman.h>

#include <cstdint>
#include <new>

#if !defined(__x86_64__)
#include <ucontext.h>
#endif

namespace tessera::runtime::emulator {

#if defined(__x86_64__)

// Saves what the System V ABI leaves to the callee on the stack, keeps the stack pointer, and takes
// up the other. A fresh stack "returns" to the entry below with the body in r12, its argument in
// r13.
extern "C" void tessera_fiber_switch(void** from, void* to);
extern "C" void tessera_fiber_entry();
asm(R"(
.text
.type tessera_fiber_switch, @function
tessera_fiber_switch:
  pushq %rbp
  pushq %rbx
  pushq %r12
  pushq %r13
  pushq %r14
  pushq %r15
  movq %rsp, (%rdi)
  movq %rsi, %rsp
  popq %r15
  popq %r14
  popq %r13
  popq %r12
  popq %rbx
  popq %rbp
  ret
.type tessera_fiber_entry, @function
tessera_fiber_entry:
  movq %r13, %rdi
  callq *%r12
  ud2
)");

void prepare_fiber(Fiber& fiber, std::byte* stack, std::size_t bytes, void (*body)(void*),
                   void* argument) {
  const auto top = (reinterpret_cast<std::uintptr_t>(stack) + bytes) & ~std::uintptr_t{15};
  // r15 r14 r13 r12 rbx rbp, return address; the entry calls with the stack aligned to 16.
  auto* frame = reinterpret_cast<void**>(top) - 9;
  for (int i = 0; i < 9; ++i) frame[i] = nullptr;
  frame[2] = argument;
  frame[3] = reinterpret_cast<void*>(body);
  frame[6] = reinterpret_cast<void*>(&tessera_fiber_entry);
  fiber.stack_pointer = frame;
}

void switch_fiber(Fiber& from, Fiber& to) {
  tessera_fiber_switch(&from.stack_pointer, to.stack_pointer);
}

#else

// Two system calls a switch, but on every processor. The context lives at the low end of the stack;
// that of the thread that is not a fiber is made when it first leaves.
namespace {
void enter(unsigned body_low, unsigned body_high, unsigned low, unsigned high) {
  const auto join = [](unsigned l, unsigned h) { return (std::uintptr_t{h} << 32) | l; };
  reinterpret_cast<void (*)(void*)>(join(body_low, body_high))(
      reinterpret_cast<void*>(join(low, high)));
}
}  // namespace

void prepare_fiber(Fiber& fiber, std::byte* stack, std::size_t bytes, void (*body)(void*),
                   void* argument) {
  auto* context = new (stack) ucontext_t;
  ::getcontext(context);
  context->uc_stack.ss_sp = stack + sizeof(ucontext_t);
  context->uc_stack.ss_size = bytes - sizeof(ucontext_t);
  context->uc_link = nullptr;
  const auto b = reinterpret_cast<std::uintptr_t>(body),
             a = reinterpret_cast<std::uintptr_t>(argument);
  ::makecontext(context, reinterpret_cast<void (*)()>(&enter), 4, static_cast<unsigned>(b),
                static_cast<unsigned>(b >> 32), static_cast<unsigned>(a),
                static_cast<unsigned>(a >> 32));
  fiber.stack_pointer = context;
}

void switch_fiber(Fiber& from, Fiber& to) {
  static thread_local ucontext_t main_context;
  if (from.stack_pointer == nullptr) from.stack_pointer = &main_context;
  ::swapcontext(static_cast<ucontext_t*>(from.stack_pointer),
                static_cast<ucontext_t*>(to.stack_pointer));
}

#endif

StackPool::~StackPool() {
  for (const Region& r : regions_) ::munmap(r.base, r.bytes);
}

std::byte* StackPool::take() {
  if (free_.empty()) {
    constexpr std::size_t kPage = 4096, kCount = 256, kSlot = kStackBytes + kPage;
    void* base = ::mmap(nullptr, kCount * kSlot, PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (base == MAP_FAILED) throw std::bad_alloc();
    regions_.push_back({base, kCount * kSlot});
    for (std::size_t i = kCount; i-- > 0;) {
      auto* slot = static_cast<std::byte*>(base) + i * kSlot;
      ::mprotect(slot, kPage, PROT_NONE);
      free_.push_back(slot + kPage);
    }
  }
  std::byte* stack = free_.back();
  free_.pop_back();
  return stack;
}

}  // namespace tessera::runtime::emulator
