#include "runtime/cpu/thread_pool.h"

#include <pthread.h>
#include <sched.h>

#include <algorithm>
#include <atomic>
#include <cstring>
#include <mutex>
#include <vector>

#include "runtime/cpu/cpu_info.h"
#include "support/error.h"

namespace tessera::runtime {

namespace {

constexpr int kSpins = 4000;  // 40 to 150 us, by the length of a pause
constexpr int kYields = 64;
constexpr std::size_t kStackBytes = 16 << 20;  // generated loops keep scratch on the stack

thread_local bool t_inside = false;  // in a piece: nested loops run here

void pause_core() {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  asm volatile("yield");
#endif
}

/// Waits until `value` differs from `old` and returns it: spins, yields, sleeps.
std::uint32_t wait_for_change(const std::atomic<std::uint32_t>& value, std::uint32_t old,
                              int spins) {
  for (int i = 0; i < spins + kYields; ++i) {
    const std::uint32_t now = value.load(std::memory_order_acquire);
    if (now != old) return now;
    if (i < spins)
      pause_core();
    else
      ::sched_yield();
  }
  value.wait(old, std::memory_order_acquire);
  return value.load(std::memory_order_acquire);
}

void pin_to(int processor) {
  cpu_set_t set;
  CPU_ZERO(&set);
  CPU_SET(processor, &set);
  ::pthread_setaffinity_np(::pthread_self(), sizeof set, &set);  // a hint: failing costs time only
}

struct Piece {
  std::int64_t begin, end;
};
/// The i-th of n contiguous pieces, whose lengths differ by at most one.
Piece piece_of(std::int64_t begin, std::int64_t end, int i, int n) {
  const auto length = static_cast<std::uint64_t>(end) - static_cast<std::uint64_t>(begin);
  const auto share = static_cast<std::int64_t>(length / static_cast<std::uint64_t>(n));
  const auto extra = static_cast<std::int64_t>(length % static_cast<std::uint64_t>(n));
  const std::int64_t from = begin + share * i + std::min<std::int64_t>(i, extra);
  return {from, from + share + (i < extra ? 1 : 0)};
}

}  // namespace

struct ThreadPool::State {
  struct alignas(64) Slot {  // own cache line: written by one worker each
    std::int32_t result = 0;
    int index = 0;
    int processor = 0;
    State* pool = nullptr;
    pthread_t thread{};
  };

  alignas(64) std::atomic<std::uint32_t> epoch{0};    // a new loop began; workers wait on it
  alignas(64) std::atomic<std::uint32_t> running{0};  // workers not done with it; the caller waits
  std::int64_t begin = 0, end = 0;
  tessera_loop_body body = nullptr;
  void* closure = nullptr;
  bool stop = false;
  int spins = kSpins;
  std::mutex busy;
  std::function<void()> on_start;
  std::vector<Slot> slots;  // one per worker; the caller has none
  cpu_set_t callers_mask{};

  int threads() const { return static_cast<int>(slots.size()) + 1; }
  void work(Slot& slot);
  void launch();
  void wait_done();
  int create(int workers);
  void shut_down();
};

void ThreadPool::State::work(Slot& slot) {
  pin_to(slot.processor);
  if (on_start) on_start();
  t_inside = true;
  for (std::uint32_t seen = 0;;) {
    seen = wait_for_change(epoch, seen, spins);
    if (stop) return;
    const Piece p = piece_of(begin, end, slot.index, threads());
    slot.result = p.begin < p.end ? body(p.begin, p.end, closure) : 0;
    if (running.fetch_sub(1, std::memory_order_acq_rel) == 1) running.notify_one();
  }
}

void ThreadPool::State::launch() {
  running.store(static_cast<std::uint32_t>(slots.size()), std::memory_order_relaxed);
  epoch.fetch_add(1, std::memory_order_seq_cst);
  epoch.notify_all();  // a system call only when somebody sleeps
}

void ThreadPool::State::wait_done() {
  for (std::uint32_t left = running.load(std::memory_order_acquire); left != 0;)
    left = wait_for_change(running, left, spins);
}

/// 0, or the error that kept a thread from starting; those before it run.
int ThreadPool::State::create(int workers) {
  const std::vector<int> allowed = allowed_processors();
  ::pthread_getaffinity_np(::pthread_self(), sizeof callers_mask, &callers_mask);
  if (workers + 1 > static_cast<int>(allowed.size())) spins = 0;
  slots = std::vector<Slot>(static_cast<std::size_t>(workers));
  pthread_attr_t attributes;
  ::pthread_attr_init(&attributes);
  ::pthread_attr_setstacksize(&attributes, kStackBytes);
  int error = 0;
  for (int i = 0; i < workers && error == 0; ++i) {
    Slot& slot = slots[static_cast<std::size_t>(i)];
    slot.index = i + 1;
    slot.processor = allowed[static_cast<std::size_t>(i + 1) % allowed.size()];
    slot.pool = this;
    const auto entry = [](void* p) -> void* {
      auto& s = *static_cast<Slot*>(p);
      s.pool->work(s);
      return nullptr;
    };
    error = ::pthread_create(&slot.thread, &attributes, entry, &slot);
    if (error != 0) slots.resize(static_cast<std::size_t>(i));  // NOLINT: shrinks, never moves
  }
  ::pthread_attr_destroy(&attributes);
  if (workers > 0 && error == 0) pin_to(allowed[0]);
  return error;
}

void ThreadPool::State::shut_down() {
  if (slots.empty()) return;
  stop = true;
  launch();
  for (Slot& slot : slots) ::pthread_join(slot.thread, nullptr);
  ::pthread_setaffinity_np(::pthread_self(), sizeof callers_mask, &callers_mask);
}

ThreadPool::ThreadPool(int threads, std::function<void()> on_start)
    : state_(std::make_unique<State>()) {
  TESSERA_CHECK(threads >= 1) << threads << " threads";
  state_->on_start = std::move(on_start);
  const int error = state_->create(threads - 1);
  if (error != 0) state_->shut_down();
  TESSERA_ENVIRONMENT_CHECK(error == 0)
      << "cannot start " << threads << " threads: " << std::strerror(error);
}

ThreadPool::~ThreadPool() { state_->shut_down(); }

int ThreadPool::threads() const { return state_->threads(); }

std::int32_t ThreadPool::parallel_for(std::int64_t begin, std::int64_t end, tessera_loop_body body,
                                      void* closure) {
  if (begin >= end) return 0;
  State& s = *state_;
  if (s.slots.empty() || end - 1 == begin || t_inside) return body(begin, end, closure);
  const std::unique_lock<std::mutex> lock(s.busy, std::try_to_lock);
  if (!lock.owns_lock()) return body(begin, end, closure);
  s.begin = begin;
  s.end = end;
  s.body = body;
  s.closure = closure;
  s.launch();
  t_inside = true;
  const Piece own = piece_of(begin, end, 0, s.threads());
  std::int32_t result = body(own.begin, own.end, closure);
  t_inside = false;
  s.wait_done();
  for (const State::Slot& slot : s.slots)
    if (result == 0) result = slot.result;
  return result;
}

tessera_host ThreadPool::host(void* workspace) {
  const auto call = [](void* context, std::int64_t begin, std::int64_t end, tessera_loop_body body,
                       void* closure) -> std::int32_t {
    return static_cast<ThreadPool*>(context)->parallel_for(begin, end, body, closure);
  };
  return {workspace, this, call};
}

}  // namespace tessera::runtime
