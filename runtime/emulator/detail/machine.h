// The emulated GPU: threads as fibers, some blocks in flight, memory with shadows. One machine runs
// at a time; the functions of the ABI act on it and on its current thread.
#pragma once

#include <deque>
#include <list>
#include <memory>
#include <set>
#include <string>
#include <unordered_map>
#include <vector>

#include "runtime/emulator/detail/abi.h"
#include "runtime/emulator/detail/clocks.h"
#include "runtime/emulator/detail/fiber.h"
#include "runtime/emulator/detail/shadow.h"
#include "runtime/emulator/emulator.h"
#include "support/rng.h"

namespace tessera::runtime::emulator {

struct Block;

/// One asynchronous copy from its start to the wait that covers it.
struct AsyncCopy {
  std::byte* to = nullptr;
  const std::byte* from = nullptr;
  int bytes = 0;
  bool take = false, moved = false;
};

/// What fences and atomics of one scope do together.
struct Order {
  BlockClocks fenced;    // what an atomic publishes: the view at the last fence
  BlockClocks observed;  // what atomics have seen and a fence will make known
};

enum class ThreadState : std::uint8_t { kReady, kBarrier, kWarp, kPolling, kDone };

struct Thread {
  Fiber fiber;
  std::byte* stack = nullptr;
  Block* block = nullptr;
  std::uint16_t index = 0;
  ThreadState state = ThreadState::kReady;
  Clock clock = 1;
  View view;
  Order gpu, within_block;                         // of atomics in global and in shared memory
  std::vector<AsyncCopy> open_copies;              // since the last commit
  std::deque<std::vector<AsyncCopy>> copy_groups;  // committed
  std::uint64_t polled_version = 0;                // of memory, when the last poll failed
  const char* waits_at = "";
  int line = 0;  // where it waits
};

struct Barrier {
  int expected = 0, line = 0;
  std::vector<Thread*> arrived;
};

/// A lane's part in a warp operation; lives on the stack of the lane while it waits.
struct LanePart {
  std::uint64_t value = 0;
  int lane_argument = 0;
  const void* address = nullptr;
  void* c = nullptr;
  const unsigned* a = nullptr;
  const unsigned* b = nullptr;
  unsigned* registers = nullptr;
};

/// Lanes that meet. `operation` tells kinds apart; all lanes bring the same one from the same line.
struct WarpMeeting {
  std::uint32_t mask = 0, arrived = 0;
  int operation = 0, line = 0;
  LanePart* parts[32] = {};
};

/// The atomics of one granule.
struct AtomicPlace {
  BlockClocks released;                                    // what the last atomics published
  std::unordered_map<std::uint64_t, Epoch> reads, writes;  // the last of each thread
};
using AtomicPlaces = std::unordered_map<std::int64_t, AtomicPlace>;  // by byte offset

struct Block {
  std::uint32_t id = 0;
  Extent3 at;
  std::byte* arena = nullptr;
  Shadow shadow;
  AtomicPlaces atomics;
  std::uint32_t interval = 0;
  int live = 0;
  std::vector<Thread> threads;
  Barrier barriers[16];
  std::vector<std::list<WarpMeeting>> meetings;  // a warp
};

constexpr int kCounter = -1;  // in place of the number of an argument

struct Buffer {
  std::byte* base = nullptr;
  std::int64_t bytes = 0;
  ArgumentUse use = ArgumentUse::kRead;
  int argument = 0;  // or kCounter
  Shadow shadow;  // of what may be written
  AtomicPlaces atomics;
};

struct Place {
  Shadow* shadow = nullptr;  // null: never written, nothing to check
  std::int64_t offset = 0;
  Buffer* buffer = nullptr;  // null: the arena
};

class Machine {
 public:
  /// `counters`: those of the text, 4 bytes each.
  Machine(const EmulationRequest& request, void (*entry)(void**), const std::vector<std::byte*>& counters);
  ~Machine();
  Machine(const Machine&) = delete;
  Machine& operator=(const Machine&) = delete;

  /// Runs all launches, or until something stops it.
  void run();
  EmulationReport report() const;
  /// The shadows were too coarse for an access of this size: run again with `granules` set.
  bool too_coarse() const { return too_coarse_; }
  struct Granules {
    std::size_t global = 4, shared = 4;
  };
  Granules granules;

  // The current thread (detail/abi.cpp forwards to these).
  int coordinate(int which) const;
  std::byte* arena() const { return current_->block->arena; }
  void load(const std::byte* p, int bytes, Space space, void* to, int line);
  void store(std::byte* p, int bytes, Space space, const void* from, int line);
  void async_copy(std::byte* to, const std::byte* from, int bytes, bool take, int line);
  void async_commit();
  void async_wait(int groups, int line);
  void sync_block(int line);
  void sync_named(int id, int threads, int line);
  void sync_warp(std::uint32_t mask, int line);
  std::uint64_t shuffle(ShuffleKind kind, std::uint32_t mask, std::uint64_t v, int lane, int line);
  std::uint32_t ballot(std::uint32_t mask, bool p, int line);
  void ldmatrix(int matrices, bool transposed, const void* row, unsigned* to, int line);
  void mma(MmaKind kind, void* c, const unsigned* a, const unsigned* b, int line);
  void atomic(AtomicOp op, AtomicType type, Space space, std::byte* p, const void* v, void* old,
              int line);
  void fence(Scope scope, int line);
  std::uint32_t load_acquire(const std::byte* p, int line);
  void store_release(std::byte* p, std::uint32_t v, int line);
  void wait_equal(const std::byte* p, std::uint32_t v, int line);
  void trap(int line);
  void bad_index(std::int64_t index, std::int64_t size, int line);
  void thread_ended();

 private:
  // machine.cpp: launches, blocks, the scheduler
  void prepare_memory();
  void run_launch();
  void admit(const Extent3& at);
  bool visit(Block& block);
  void resume(Thread& thread);
  void leave();
  [[noreturn]] void stop();
  void step(int line);
  void maybe_yield();
  bool masks_overlap() const;
  void explain_stall();
  void check_zeroed();
  void forget_order();
  void finish_block(Block& block);
  static void thread_main(void* thread);

  // findings.cpp
  void find(FindingKind kind, int line, std::string message);
  void race(const Epoch& other, const char* mine, const char* theirs, const Place& place, int line);
  static std::string name_of(const Buffer& buffer);
  std::string name_of(const Place& place) const;
  std::string out_of_bounds_text(const std::byte* p, int bytes, const char* verb) const;
  Extent3 thread_at(std::uint16_t index) const;
  std::string accessor_text(const Epoch& e) const;

  // memory.cpp
  Accessor accessor(int line) const;
  bool locate(const std::byte* p, int bytes, Space space, const char* verb, int line, Place& place);
  bool fine_enough(const Place& place, int bytes);
  void note_read(const Place& place, int bytes, const Accessor& who);
  void note_write(const Place& place, int bytes, const Accessor& who, bool pending);
  void check_unchanged(const Place& place, int bytes, const Accessor& who);
  void move(AsyncCopy& copy);
  void complete(std::vector<AsyncCopy>& group);
  void move_some(Block& block);

  // sync.cpp, warp.cpp, atomics.cpp
  void arrive(Barrier& barrier, int expected, int line, const char* what, bool whole_block);
  void synchronise(const std::vector<Thread*>& threads);
  WarpMeeting* meet(std::uint32_t mask, int operation, const char* what, int line, LanePart& part);
  void close(Block& block, int warp, WarpMeeting* meeting);
  void perform_ldmatrix(const WarpMeeting& m, int matrices, bool transposed, int line);
  BlockClocks published();
  AtomicPlaces& atomics_of(const Place& place) {
    return place.buffer == nullptr ? current_->block->atomics : place.buffer->atomics;
  }
  /// The other side of a race among the atomics of a granule; false when there is none.
  bool unordered_atomic(const Place& place, const Accessor& who, bool reads_too, Epoch& other);
  /// Null after saying what is wrong with the address.
  AtomicPlace* note_atomic(const std::byte* p, int bytes, Space space, bool reads, bool writes,
                           int line);
  void learn(const BlockClocks& released);

  const EmulationRequest& request_;
  void (*entry_)(void**);
  const std::vector<std::byte*>& counters_;
  Rng rng_;
  bool shuffled_ = false;
  int threads_per_block_ = 0;

  std::byte* reservation_ = nullptr;
  std::size_t reserved_bytes_ = 0;
  std::vector<Buffer> buffers_;
  AtomicPlace of_constants_;  // of all memory that nobody writes: it orders nothing
  std::vector<std::uint64_t> scalars_;
  std::vector<void*> values_;  // what an argument is passed as
  std::vector<void*> argument_addresses_;
  std::vector<std::byte*> free_arenas_;
  std::size_t arena_bytes_ = 0;

  StackPool stacks_;
  std::vector<std::unique_ptr<Block>> flight_;
  std::vector<std::unique_ptr<Block>> spare_;
  Fiber scheduler_;
  Thread* current_ = nullptr;
  ClockTable nothing_known_;
  std::uint64_t memory_version_ = 0;
  std::uint32_t blocks_started_ = 0;
  std::unordered_map<std::uint32_t, Extent3> block_at_;

  bool stopped_ = false, too_coarse_ = false;
  std::int64_t steps_ = 0, switches_ = 0;
  std::vector<Finding> findings_;
  std::set<std::pair<int, int>> reported_;  // kind and line
};

/// The machine that runs in this process, or nullptr.
Machine* running_machine();

}  // namespace tessera::runtime::emulator
