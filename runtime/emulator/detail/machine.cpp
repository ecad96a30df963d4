#include "runtime/emulator/detail/machine.h"

#include <sys/mman.h>

#include <algorithm>
#include <cstring>
#include <map>
#include <new>
#include <numeric>

#include "support/error.h"

namespace tessera::runtime::emulator {

namespace {

constexpr std::size_t kPage = 4096;
constexpr std::size_t kGap = std::size_t{64}
                             << 20;  // between buffers: an address says whose it misses
constexpr int kPoison = 0xff;        // a NaN in every float type
constexpr std::size_t kMostInFlight = 64;

std::size_t pages(std::size_t bytes) { return (bytes + kPage - 1) / kPage * kPage; }

Machine* the_machine = nullptr;

}  // namespace

Machine* running_machine() { return the_machine; }

Machine::Machine(const EmulationRequest& request, void (*entry)(void**),
                 const std::vector<std::byte*>& counters)
    : request_(request), entry_(entry), counters_(counters), rng_(request.seed, {1}) {
  shuffled_ = request.seed != 0;
  threads_per_block_ = static_cast<int>(request.block.count());
  nothing_known_ =
      std::make_shared<const std::vector<Clock>>(static_cast<std::size_t>(threads_per_block_), 0);
}

Machine::~Machine() {
  if (reservation_ != nullptr) ::munmap(reservation_, reserved_bytes_);
}

void Machine::prepare_memory() {
  arena_bytes_ = pages(static_cast<std::size_t>(request_.shared_bytes) + 1);
  std::size_t bytes = kGap + kMostInFlight * (arena_bytes_ + kPage);
  for (const EmulatedArgument& a : request_.arguments) bytes += pages(a.bytes.size() + 1) + kGap;
  void* base =
      ::mmap(nullptr, bytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (base == MAP_FAILED) throw std::bad_alloc();
  reservation_ = static_cast<std::byte*>(base);
  reserved_bytes_ = bytes;

  std::byte* at = reservation_ + kGap;
  const auto open = [&](std::size_t n) {
    std::byte* p = at;
    TESSERA_CHECK(::mprotect(p, pages(n + 1), PROT_READ | PROT_WRITE) == 0)
        << "no memory for the emulator";
    at += pages(n + 1);
    return p;
  };
  scalars_.assign(request_.arguments.size(), 0);
  values_.assign(request_.arguments.size(), nullptr);
  argument_addresses_.clear();
  for (std::size_t i = 0; i < request_.arguments.size(); ++i) {
    const EmulatedArgument& a = request_.arguments[i];
    if (a.use == ArgumentUse::kScalar) {
      std::memcpy(&scalars_[i], a.bytes.data(), std::min(a.bytes.size(), sizeof scalars_[i]));
      argument_addresses_.push_back(&scalars_[i]);
      continue;
    }
    Buffer b{open(a.bytes.size()),
             static_cast<std::int64_t>(a.bytes.size()),
             a.use,
             static_cast<int>(i),
             {},
             {}};
    at += kGap;
    if (a.use == ArgumentUse::kWrite)
      std::memset(b.base, kPoison, a.bytes.size());
    else if (!a.bytes.empty())
      std::memcpy(b.base, a.bytes.data(), a.bytes.size());
    if (a.use != ArgumentUse::kRead)
      b.shadow.reset(a.bytes.size(), granules.global,
                     a.use == ArgumentUse::kReadWrite && a.defined.empty());
    for (const ByteRange& r : a.zeroed)
      std::memset(b.base + r.begin, 0, static_cast<std::size_t>(r.end - r.begin));
    for (const auto* ranges : {&a.zeroed, &a.defined})
      for (const ByteRange& r : *ranges)
        for (std::int64_t byte = r.begin; byte < r.end;
             byte += static_cast<std::int64_t>(granules.global))
          b.shadow.at(static_cast<std::size_t>(byte)).state = CellState::kDefined;
    values_[i] = b.base;
    argument_addresses_.push_back(&values_[i]);
    buffers_.push_back(std::move(b));
  }
  for (std::byte* counter : counters_) {
    Buffer b{counter, sizeof(std::uint32_t), ArgumentUse::kReadWrite, kCounter, {}, {}};
    std::memset(counter, 0, sizeof(std::uint32_t));
    b.shadow.reset(sizeof(std::uint32_t), granules.global, true);
    buffers_.push_back(std::move(b));
  }
  for (std::size_t i = 0; i < kMostInFlight; ++i) {
    free_arenas_.push_back(open(static_cast<std::size_t>(request_.shared_bytes)));
    at += kPage;
  }
}

void Machine::run() {
  Machine* const outer = the_machine;
  the_machine = this;
  prepare_memory();
  for (int i = 0; i < request_.launches && !stopped_; ++i) {
    if (i > 0) forget_order();
    run_launch();
    if (!stopped_) check_zeroed();
  }
  the_machine = outer;
}

/// The end of a launch orders everything before it.
void Machine::forget_order() {
  for (Buffer& b : buffers_) {
    b.atomics.clear();
    b.shadow.for_each_used([&](std::size_t, Cell& cell) {
      b.shadow.clear_readers(cell);
      cell.write.clock = 0;
      cell.touched = false;
      if (cell.state != CellState::kInitial) cell.state = CellState::kDefined;
    });
  }
}

void Machine::run_launch() {
  std::vector<Extent3> order = request_.blocks;
  if (order.empty()) {
    const Extent3& g = request_.grid;
    for (int z = 0; z < g.z; ++z)
      for (int y = 0; y < g.y; ++y)
        for (int x = 0; x < g.x; ++x) order.push_back({x, y, z});
  }
  // Blocks start in the order of their indices, as on a GPU; those in flight run in any order.
  const std::size_t window =
      std::clamp<std::size_t>(2048 / static_cast<std::size_t>(threads_per_block_), 2, 8);
  std::size_t next = 0;
  while (!stopped_ && (next < order.size() || !flight_.empty())) {
    while (next < order.size() && flight_.size() < window) admit(order[next++]);
    std::vector<Block*> visits;
    for (const auto& b : flight_) visits.push_back(b.get());
    if (shuffled_)
      for (std::size_t i = visits.size(); i > 1; --i)
        std::swap(visits[i - 1],
                  visits[static_cast<std::size_t>(rng_.below(static_cast<std::int64_t>(i)))]);
    bool progress = false;
    for (Block* b : visits) {
      if (!stopped_) progress |= visit(*b);
      if (!stopped_ && request_.mode == EmulationMode::kLate) move_some(*b);
    }
    for (std::size_t i = 0; i < flight_.size();) {
      if (flight_[i]->live > 0 || stopped_) {
        ++i;
        continue;
      }
      finish_block(*flight_[i]);
      spare_.push_back(std::move(flight_[i]));
      flight_.erase(flight_.begin() + static_cast<std::ptrdiff_t>(i));
      progress = true;
    }
    if (progress || stopped_) continue;
    if (next < order.size() && flight_.size() < kMostInFlight)
      admit(order[next++]);
    else
      explain_stall();
  }
}

void Machine::admit(const Extent3& at) {
  std::unique_ptr<Block> block;
  if (spare_.empty()) {
    block = std::make_unique<Block>();
    block->threads.resize(static_cast<std::size_t>(threads_per_block_));
    block->meetings.resize(static_cast<std::size_t>((threads_per_block_ + 31) / 32));
  } else {
    block = std::move(spare_.back());
    spare_.pop_back();
  }
  block->id = blocks_started_++;
  block->at = at;
  block_at_[block->id] = at;
  block->arena = free_arenas_.back();
  free_arenas_.pop_back();
  std::memset(block->arena, kPoison, static_cast<std::size_t>(request_.shared_bytes));
  block->shadow.reset(static_cast<std::size_t>(request_.shared_bytes), granules.shared, false);
  block->atomics.clear();
  block->interval = 0;
  block->live = threads_per_block_;
  for (Barrier& b : block->barriers) b = {};
  for (int i = 0; i < threads_per_block_; ++i) {
    Thread& t = block->threads[static_cast<std::size_t>(i)];
    std::byte* stack = t.stack != nullptr ? t.stack : stacks_.take();
    t = Thread{};
    t.stack = stack;
    t.block = block.get();
    t.index = static_cast<std::uint16_t>(i);
    t.view.own = nothing_known_;
    prepare_fiber(t.fiber, stack, StackPool::kStackBytes, &Machine::thread_main, &t);
  }
  flight_.push_back(std::move(block));
}

void Machine::finish_block(Block& block) { free_arenas_.push_back(block.arena); }

void Machine::thread_main(void* thread) {
  Machine* m = the_machine;
  m->entry_(m->argument_addresses_.data());
  static_cast<Thread*>(thread)->state = ThreadState::kDone;
  m->thread_ended();
  m->leave();
}

/// Runs every thread of the block that can run once. True when one did.
bool Machine::visit(Block& block) {
  const std::size_t n = block.threads.size();
  std::vector<std::uint16_t> order;
  if (shuffled_) {
    order.resize(n);
    std::iota(order.begin(), order.end(), std::uint16_t{0});
    for (std::size_t i = n; i > 1; --i)
      std::swap(order[i - 1],
                order[static_cast<std::size_t>(rng_.below(static_cast<std::int64_t>(i)))]);
  }
  bool progress = false;
  for (std::size_t i = 0; i < n && !stopped_; ++i) {
    Thread& t = block.threads[shuffled_ ? order[i] : i];
    if (t.state == ThreadState::kPolling && t.polled_version != memory_version_)
      t.state = ThreadState::kReady;
    if (t.state != ThreadState::kReady) continue;
    resume(t);
    progress = true;
  }
  return progress;
}

void Machine::resume(Thread& thread) {
  current_ = &thread;
  ++switches_;
  switch_fiber(scheduler_, thread.fiber);
}

/// Back to the scheduler, which returns here when the thread is to go on.
void Machine::leave() {
  Thread* me = current_;
  switch_fiber(me->fiber, scheduler_);
}

void Machine::stop() {
  stopped_ = true;
  for (;;) leave();  // the scheduler resumes nobody any more
}

void Machine::step(int line) {
  if (stopped_) stop();
  if (++steps_ <= request_.step_limit) return;
  find(FindingKind::kStepLimit, line,
       "the limit of " + std::to_string(request_.step_limit) + " steps is reached");
  stop();
}

/// Lets others run between two accesses that order may depend on.
void Machine::maybe_yield() {
  if (shuffled_ && rng_.below(2) == 0) leave();
}

void Machine::thread_ended() {
  Thread& me = *current_;
  Block& block = *me.block;
  --block.live;
  for (const Barrier& b : block.barriers) {
    if (&b != &block.barriers[0] || b.arrived.empty()) continue;
    find(FindingKind::kBarrierDivergence, b.line,
         "a thread of the block ends while others wait at the barrier of line " +
             std::to_string(b.line));
    stop();
  }
  for (const WarpMeeting& m : block.meetings[me.index / 32]) {
    if ((m.mask >> (me.index % 32) & 1) == 0) continue;
    find(FindingKind::kWarpDivergence, m.line,
         "lane " + std::to_string(me.index % 32) + " ends while the mask of line " +
             std::to_string(m.line) + " names it");
    stop();
  }
}

/// Lanes wait for each other in meetings of different masks.
bool Machine::masks_overlap() const {
  for (const auto& block : flight_)
    for (const auto& meetings : block->meetings)
      for (const WarpMeeting& a : meetings)
        for (const WarpMeeting& b : meetings)
          if (&a != &b && (a.mask & b.arrived) != 0) return true;
  return false;
}

/// Nothing can run and nothing more can start: says who waits for what.
void Machine::explain_stall() {
  std::map<std::string, int> waits;
  const Thread* first = nullptr;
  bool polling = false, same_block = true;
  for (const auto& block : flight_) {
    for (const Thread& t : block->threads) {
      if (t.state == ThreadState::kDone) continue;
      if (first == nullptr) first = &t;
      same_block = same_block && t.block == first->block;
      polling = polling || t.state == ThreadState::kPolling;
      ++waits[std::string(t.waits_at) + " of line " + std::to_string(t.line)];
    }
  }
  std::string text;
  for (const auto& [what, count] : waits)
    text += (text.empty() ? "" : ", ") + std::to_string(count) + " threads at the " + what;
  current_ = const_cast<Thread*>(first);
  const FindingKind kind = masks_overlap()                ? FindingKind::kMask
                           : !polling && waits.size() > 1 ? FindingKind::kBarrierDivergence
                                                          : FindingKind::kDeadlock;
  find(kind, first->line, "nothing can run: " + text);
  stopped_ = true;
}

void Machine::check_zeroed() {
  const std::vector<ByteRange> whole{{0, sizeof(std::uint32_t)}};
  for (const Buffer& b : buffers_) {
    for (const ByteRange& r : b.argument == kCounter
                                  ? whole
                                  : request_.arguments[static_cast<std::size_t>(b.argument)].zeroed) {
      for (std::int64_t i = r.begin; i < r.end; ++i) {
        if (b.base[i] == std::byte{0}) continue;
        current_ = nullptr;
        find(FindingKind::kNotReset, 0,
             "byte " + std::to_string(i) + " of " + name_of(b) +
                 ", which is zero before the kernel, is not zero after it");
        break;
      }
    }
  }
}

namespace {

std::vector<ByteRange> written_ranges(const Buffer& b) {
  std::vector<ByteRange> ranges;
  const auto granule = static_cast<std::int64_t>(b.shadow.granule());
  b.shadow.for_each_used([&](std::size_t byte, const Cell& cell) {
    if (!cell.touched) return;
    const auto begin = static_cast<std::int64_t>(byte);
    const std::int64_t end = std::min(begin + granule, b.bytes);
    if (!ranges.empty() && ranges.back().end == begin)
      ranges.back().end = end;
    else
      ranges.push_back({begin, end});
  });
  return ranges;
}

}  // namespace

EmulationReport Machine::report() const {
  EmulationReport r;
  r.findings = findings_;
  r.outputs.resize(request_.arguments.size());
  r.written.resize(request_.arguments.size());
  for (const Buffer& b : buffers_) {
    if (b.use == ArgumentUse::kRead || b.argument == kCounter) continue;
    const auto at = static_cast<std::size_t>(b.argument);
    r.outputs[at].assign(b.base, b.base + b.bytes);
    r.written[at] = written_ranges(b);
  }
  r.steps = steps_;
  r.switches = switches_;
  return r;
}

int Machine::coordinate(int which) const {
  const Extent3 at = which < 3   ? thread_at(current_->index)
                     : which < 6 ? current_->block->at
                                 : request_.grid;
  return which % 3 == 0 ? at.x : which % 3 == 1 ? at.y : at.z;
}

}  // namespace tessera::runtime::emulator
