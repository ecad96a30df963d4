#include "runtime/cpu/fault_guard.h"

#include <signal.h>
#include <sys/mman.h>
#include <ucontext.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cerrno>
#include <cstdint>
#include <cstring>

namespace tessera::runtime {

namespace {

constexpr std::size_t kMostRegions = 512;
constexpr std::size_t kLongestNote = 512;
constexpr std::size_t kSignalStackBytes = 64 << 10;
constexpr std::size_t kProbeBytes = 64 << 20;  // address space that a healthy process still has
constexpr std::intptr_t kNearStack = 1
                                     << 20;  // a fault this far below the stack pointer is overflow

std::array<FaultRegion, kMostRegions> g_regions;
std::atomic<std::size_t> g_region_count{0};
SendNote g_send = nullptr;
const void* g_send_context = nullptr;
std::atomic_flag g_handling;  // the first thread that faults tells; others wait for the end

// --- below: only what is safe in a signal handler ---

/// Fixed-size text without allocation.
class Line {
 public:
  Line& operator<<(const char* s) {
    while (*s != '\0' && used_ < text_.size()) text_[used_++] = *s++;
    return *this;
  }
  Line& operator<<(long long x) {
    const unsigned long long magnitude =
        x < 0 ? 0ULL - static_cast<unsigned long long>(x) : static_cast<unsigned long long>(x);
    if (x < 0) *this << "-";
    return digits(magnitude, 10);
  }
  Line& hex(unsigned long long x) {
    *this << "0x";
    return digits(x, 16);
  }
  std::span<const char> text() const { return {text_.data(), used_}; }

 private:
  Line& digits(unsigned long long x, unsigned base) {
    std::array<char, 21> out{};
    std::size_t at = out.size() - 1;
    do {
      out[--at] = "0123456789abcdef"[x % base];
      x /= base;
    } while (x != 0);
    return *this << &out[at];
  }
  std::array<char, kLongestNote - 1> text_{};
  std::size_t used_ = 0;
};

const char* name_of(int signal) {
  switch (signal) {
    case SIGSEGV:
      return "SIGSEGV";
    case SIGBUS:
      return "SIGBUS";
    case SIGILL:
      return "SIGILL";
    case SIGFPE:
      return "SIGFPE";
    case SIGABRT:
      return "SIGABRT";
    case SIGKILL:
      return "SIGKILL";
    case SIGTRAP:
      return "SIGTRAP";
    case SIGXCPU:
      return "SIGXCPU";
    case SIGXFSZ:
      return "SIGXFSZ";
    case SIGTERM:
      return "SIGTERM";
    case SIGSYS:
      return "SIGSYS";
    default:
      return nullptr;
  }
}

struct Access {
  const std::byte* address = nullptr;
  bool known = false, write = false, fetch = false;  // page faults on x86-64 say which
  std::intptr_t stack_pointer = 0;
};

Access access_of(const siginfo_t& info, const void* context) {
  Access a;
  a.address = static_cast<const std::byte*>(info.si_addr);
#if defined(__x86_64__)
  const auto& registers = static_cast<const ucontext_t*>(context)->uc_mcontext.gregs;
  a.stack_pointer = registers[REG_RSP];
  a.known = registers[REG_TRAPNO] == 14;
  a.write = a.known && (registers[REG_ERR] & 2) != 0;
  a.fetch = a.known && (registers[REG_ERR] & 16) != 0;
#else
  (void)context;
#endif
  return a;
}

const FaultRegion* region_of(const std::byte* address) {
  const std::size_t count = g_region_count.load(std::memory_order_acquire);
  for (std::size_t i = 0; i < count; ++i)
    if (address >= g_regions[i].reserved_begin && address < g_regions[i].reserved_end)
      return &g_regions[i];
  return nullptr;
}

const char* verb(const Access& a) { return !a.known ? "access" : a.write ? "write" : "read"; }

MeasureStatus describe_region(const FaultRegion& r, const Access& a, Line& line) {
  const long long offset = a.address - r.data;
  const bool inside = offset >= 0 && offset < static_cast<long long>(r.bytes);
  line << verb(a) << " at byte " << offset << " of '" << r.name << "', which has "
       << static_cast<long long>(r.bytes) << " bytes";
  if (!inside) return MeasureStatus::kOutOfBounds;
  line << " and may only be read";
  return MeasureStatus::kInputModified;  // reading is always allowed there
}

/// True when the process cannot get memory any more: it then dies of that, wherever it faults.
bool out_of_address_space() {
  void* p =
      ::mmap(nullptr, kProbeBytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (p == MAP_FAILED) return errno == ENOMEM;
  ::munmap(p, kProbeBytes);
  return false;
}

MeasureStatus describe(int signal, const siginfo_t& info, const void* context, Line& line) {
  const Access a = access_of(info, context);
  const bool memory = signal == SIGSEGV || signal == SIGBUS;
  if (memory && out_of_address_space()) {
    line << "the memory limit was reached";
    return MeasureStatus::kResource;
  }
  if (memory && !a.fetch && info.si_code > 0 && info.si_code != SI_KERNEL)
    if (const FaultRegion* r = region_of(a.address)) return describe_region(*r, a, line);
  line << name_of(signal);
  if (!memory) {
    line << " at instruction ";
    line.hex(reinterpret_cast<std::uintptr_t>(a.address));
  } else if (info.si_code == SI_KERNEL) {
    line << " (an unaligned vector access, or an address that cannot exist)";
  } else {
    const auto at = reinterpret_cast<std::intptr_t>(a.address);
    const bool near = a.stack_pointer != 0 && at > a.stack_pointer - kNearStack &&
                      at < a.stack_pointer + kNearStack;
    line << (a.fetch   ? ": jump to "
             : a.known ? (a.write ? ": write to " : ": read of ")
                       : ": access to ");
    line.hex(static_cast<unsigned long long>(at));
    if (near) line << " (stack overflow)";
  }
  return MeasureStatus::kCrash;
}

void on_fault(int signal, siginfo_t* info, void* context) {
  if (g_handling.test_and_set()) {
    for (;;) ::pause();
  }
  Line line;
  const MeasureStatus status = describe(signal, *info, context, line);
  std::array<std::byte, kLongestNote> note{};
  note[0] = static_cast<std::byte>(status);
  std::memcpy(note.data() + 1, line.text().data(), line.text().size());
  g_send(std::span(note).first(line.text().size() + 1), g_send_context);
  struct sigaction fallback {};
  fallback.sa_handler = SIG_DFL;
  ::sigaction(signal, &fallback, nullptr);
  ::raise(signal);  // blocked until this handler returns, then fatal
}

}  // namespace

void add_fault_region(const FaultRegion& region) {
  const std::size_t i = g_region_count.load(std::memory_order_relaxed);
  if (i == kMostRegions) return;
  g_regions[i] = region;
  g_region_count.store(i + 1, std::memory_order_release);
}

void forget_fault_regions() { g_region_count.store(0, std::memory_order_release); }

void install_signal_stack() {
  void* p = ::mmap(nullptr, kSignalStackBytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
                   -1, 0);
  if (p == MAP_FAILED) return;
  stack_t stack{};
  stack.ss_sp = p;
  stack.ss_size = kSignalStackBytes;
  ::sigaltstack(&stack, nullptr);
}

void install_fault_guard(SendNote send, const void* context) {
  g_send = send;
  g_send_context = context;
  install_signal_stack();
  struct sigaction action {};
  action.sa_sigaction = on_fault;
  action.sa_flags = SA_SIGINFO | SA_ONSTACK;
  for (const int signal : {SIGSEGV, SIGBUS, SIGILL, SIGFPE}) ::sigaction(signal, &action, nullptr);
}

std::optional<FaultNote> decode_fault_note(std::span<const std::byte> note) {
  if (note.empty() || static_cast<int>(note[0]) >= kMeasureStatusCount) return std::nullopt;
  const auto text = note.subspan(1);
  return FaultNote{static_cast<MeasureStatus>(note[0]),
                   std::string(reinterpret_cast<const char*>(text.data()), text.size())};
}

std::string signal_name(int signal) {
  const char* name = name_of(signal);
  return name != nullptr ? name : "signal " + std::to_string(signal);
}

}  // namespace tessera::runtime
