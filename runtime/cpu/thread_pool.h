// The parallel_for that measured kernels and `replay` use: a fixed set of pinned threads.
//
// Forking and joining costs 0.15 us while the threads spin, so a kernel may be parallel at 5 us of
// work. What the study found (research notes on the CPU runtime) is built in:
//   * each thread has its own affinity mask; threads that share a core would lose whole time slices
//     of 4 to 8 ms to each other's spinning, so with more threads than cores nobody spins;
//   * waiting is bounded spinning, then yielding, then sleeping;
//   * pieces are contiguous and depend only on the range and the number of threads.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>

#include "runtime/kernel_abi.h"

namespace tessera::runtime {

class ThreadPool {
 public:
  /// `threads` >= 1, the caller being one of them. With several, the caller is pinned too, until
  /// the pool is destroyed. `on_start` runs first on each new thread (not on the caller).
  /// UserError (exit code 1) when the threads cannot be created.
  explicit ThreadPool(int threads, std::function<void()> on_start = {});
  ~ThreadPool();
  ThreadPool(const ThreadPool&) = delete;
  ThreadPool& operator=(const ThreadPool&) = delete;

  int threads() const;

  /// As kernel_abi.h states. Returns the result of the first piece in range order that failed.
  /// A call from inside a piece, or while another thread is in a call, runs on the caller alone.
  std::int32_t parallel_for(std::int64_t begin, std::int64_t end, tessera_loop_body body,
                            void* closure);

  /// A host that lends this pool; valid while the pool lives.
  tessera_host host(void* workspace);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace tessera::runtime
