// Atomics and the order that they make, as in the memory models of C++ and PTX: a relaxed atomic
// publishes what its thread knew at its last fence; who reads it knows that after a fence of its
// own. For atomics in global memory only fences of the gpu count.
#include <cstring>

#include "runtime/emulator/detail/machine.h"

namespace tessera::runtime::emulator {

namespace {

template <class T>
void update(AtomicOp op, std::byte* p, const void* v, void* old) {
  T was, by, now;
  std::memcpy(&was, p, sizeof was);
  std::memcpy(&by, v, sizeof by);
  switch (op) {
    case kAtomicAdd:
      now = was + by;
      break;
    case kAtomicMax:
      now = was < by ? by : was;
      break;
    case kAtomicMin:
      now = by < was ? by : was;
      break;
    case kAtomicInc:
      now = was >= by ? T(0) : was + T(1);
      break;
    case kAtomicExchange:
      now = by;
      break;
    default:
      now = was;
      break;
  }
  std::memcpy(p, &now, sizeof now);
  std::memcpy(old, &was, sizeof was);
}

int width(AtomicType type) { return type == kTypeF64 || type == kTypeU64 ? 8 : 4; }

std::uint64_t key(const Accessor& who) { return std::uint64_t{who.block} << 16 | who.thread; }

}  // namespace

bool Machine::unordered_atomic(const Place& place, const Accessor& who, bool reads_too,
                               Epoch& other) {
  const AtomicPlace& at = atomics_of(place)[place.offset];
  for (const auto* epochs : {&at.writes, reads_too ? &at.reads : nullptr}) {
    if (epochs == nullptr) continue;
    for (const auto& [thread, e] : *epochs) {
      if (ordered(e, who)) continue;
      other = e;
      return true;
    }
  }
  return false;
}

AtomicPlace* Machine::note_atomic(const std::byte* p, int bytes, Space space, bool reads,
                                  bool writes, int line) {
  Place place;
  if (!locate(p, bytes, space, "atomically accesses", line, place)) return nullptr;
  if (place.shadow == nullptr) {
    if (writes)
      find(FindingKind::kReadOnly, line, "an atomic on " + name_of(place) + ", which is read only");
    return writes ? nullptr : &of_constants_;
  }
  const Accessor who = accessor(line);
  for (std::int64_t i = 0; i < bytes; i += static_cast<std::int64_t>(place.shadow->granule())) {
    const Place here{place.shadow, place.offset + i, place.buffer};
    Cell& cell = place.shadow->at(static_cast<std::size_t>(here.offset));
    Epoch other;
    if (cell.written() && !ordered(cell.write, who)) {
      race(cell.write, "atomically accesses", "a write", here, line);
    } else if (reads && place.shadow->undefined(cell)) {
      find(FindingKind::kUninitialised, line,
           "reads " + name_of(here) + ", which nobody has written");
    } else if (writes && cell.read() && place.shadow->unordered_reader(cell, who, other)) {
      race(other, "atomically writes", "a read", here, line);
    }
    cell.state = CellState::kAtomic;
    cell.touched = cell.touched || writes;
    AtomicPlace& at = atomics_of(here)[here.offset];
    (writes ? at.writes : at.reads)[key(who)] = {who.block, who.clock, who.thread, who.line};
  }
  if (writes && space == kGlobal) ++memory_version_;
  return &atomics_of(place)[place.offset];
}

/// Everything that this thread's past orders, for others to learn; its own time moves on.
BlockClocks Machine::published() {
  Thread& me = *current_;
  auto table = std::make_shared<std::vector<Clock>>(*me.view.own);
  (*table)[me.index] = me.clock++;
  auto all = me.view.others ? std::make_shared<std::map<std::uint32_t, ClockTable>>(*me.view.others)
                            : std::make_shared<std::map<std::uint32_t, ClockTable>>();
  (*all)[me.block->id] = std::move(table);
  return all;
}

void Machine::learn(const BlockClocks& released) {
  if (!released) return;
  View& view = current_->view;
  view.others = join(view.others, released);
  if (const auto own = released->find(current_->block->id); own != released->end())
    view.own = join(view.own, own->second);
}

void Machine::atomic(AtomicOp op, AtomicType type, Space space, std::byte* p, const void* v,
                     void* old, int line) {
  maybe_yield();
  std::memset(old, 0xff, static_cast<std::size_t>(width(type)));
  AtomicPlace* place = note_atomic(p, width(type), space, true, true, line);
  if (place == nullptr) return;
  Thread& me = *current_;
  Order& order = space == kGlobal ? me.gpu : me.within_block;
  order.observed = join(order.observed, place->released);
  place->released = join(place->released, order.fenced);
  switch (type) {
    case kTypeF32:
      update<float>(op, p, v, old);
      break;
    case kTypeF64:
      update<double>(op, p, v, old);
      break;
    case kTypeI32:
      update<std::int32_t>(op, p, v, old);
      break;
    case kTypeU32:
      update<std::uint32_t>(op, p, v, old);
      break;
    case kTypeU64:
      update<std::uint64_t>(op, p, v, old);
      break;
  }
  maybe_yield();
}

/// A fence of the gpu is one of the block too.
void Machine::fence(Scope scope, int line) {
  step(line);
  Thread& me = *current_;
  learn(me.within_block.observed);
  if (scope == kGpuScope) learn(me.gpu.observed);
  me.within_block = {published(), nullptr};
  if (scope == kGpuScope) me.gpu = me.within_block;
}

std::uint32_t Machine::load_acquire(const std::byte* p, int line) {
  maybe_yield();
  std::uint32_t v = ~0u;
  const AtomicPlace* place = note_atomic(p, 4, kGlobal, true, false, line);
  if (place == nullptr) return v;
  learn(place->released);
  std::memcpy(&v, p, sizeof v);
  return v;
}

void Machine::store_release(std::byte* p, std::uint32_t v, int line) {
  maybe_yield();
  AtomicPlace* place = note_atomic(p, 4, kGlobal, false, true, line);
  if (place == nullptr) return;
  place->released = published();
  std::memcpy(p, &v, sizeof v);
}

void Machine::wait_equal(const std::byte* p, std::uint32_t v, int line) {
  Thread& me = *current_;
  while (!stopped_) {
    const std::uint64_t before = memory_version_;
    if (load_acquire(p, line) == v) return;
    me.state = ThreadState::kPolling;
    me.polled_version = before;
    me.waits_at = "wait";
    me.line = line;
    leave();
  }
}

}  // namespace tessera::runtime::emulator
