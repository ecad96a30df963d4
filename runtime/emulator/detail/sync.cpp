#include <algorithm>

#include "runtime/emulator/detail/machine.h"

namespace tessera::runtime::emulator {

/// What every one of them did so far is ordered before what any of them does next.
void Machine::synchronise(const std::vector<Thread*>& threads) {
  ViewJoin all;
  for (const Thread* t : threads) all.add(t->view);
  for (const Thread* t : threads) all.table()[t->index] = std::max(all.table()[t->index], t->clock);
  const View view = all.take();
  for (Thread* t : threads) {
    t->view = view;
    ++t->clock;
    t->state = ThreadState::kReady;
  }
}

void Machine::arrive(Barrier& barrier, int expected, int line, const char* what, bool whole_block) {
  step(line);
  Thread& me = *current_;
  if (whole_block && me.block->live < threads_per_block_) {
    find(FindingKind::kBarrierDivergence, line,
         "threads of the block have ended before this barrier");
    stop();
  }
  if (!barrier.arrived.empty() &&
      ((whole_block && barrier.line != line) || barrier.expected != expected)) {
    find(FindingKind::kBarrierDivergence, line,
         "other threads of the block wait at the barrier of line " + std::to_string(barrier.line) +
             " for " + std::to_string(barrier.expected));
    stop();
  }
  barrier.expected = expected;
  barrier.line = line;
  barrier.arrived.push_back(&me);
  if (static_cast<int>(barrier.arrived.size()) < expected) {
    me.state = ThreadState::kBarrier;
    me.waits_at = what;
    me.line = line;
    leave();
    return;
  }
  synchronise(barrier.arrived);
  barrier.arrived.clear();
  if (whole_block) ++me.block->interval;
}

void Machine::sync_block(int line) {
  arrive(current_->block->barriers[0], threads_per_block_, line, "block barrier", true);
}

void Machine::sync_named(int id, int threads, int line) {
  if (id < 1 || id > 15 || threads % 32 != 0 || threads > threads_per_block_) {
    find(FindingKind::kBarrierDivergence, line,
         "barrier " + std::to_string(id) + " of " + std::to_string(threads) +
             " threads: ids are 1 to 15, threads a multiple of 32");
    stop();
  }
  arrive(current_->block->barriers[id], threads, line, "named barrier", false);
}

}  // namespace tessera::runtime::emulator
