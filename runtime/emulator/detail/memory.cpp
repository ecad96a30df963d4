#include <cstring>

#include "runtime/emulator/detail/machine.h"

namespace tessera::runtime::emulator {

Accessor Machine::accessor(int line) const {
  const Thread& me = *current_;
  return {me.block->id, me.block->interval, me.clock, me.index, static_cast<std::uint16_t>(line),
          &me.view};
}

/// Finds what `p` points to; false after saying that it is out of bounds or misaligned.
bool Machine::locate(const std::byte* p, int bytes, Space space, const char* verb, int line,
                     Place& place) {
  step(line);
  if (reinterpret_cast<std::uintptr_t>(p) % static_cast<unsigned>(bytes) != 0) {
    find(FindingKind::kMisaligned, line,
         std::string(verb) + " " + std::to_string(bytes) +
             " bytes at an address that is no multiple of it");
    return false;
  }
  if (space == kShared) {
    Block& block = *current_->block;
    place.offset = p - block.arena;
    if (place.offset < 0 || place.offset + bytes > request_.shared_bytes) {
      find(FindingKind::kOutOfBounds, line,
           std::string(verb) + " " + std::to_string(bytes) + " bytes at offset " +
               std::to_string(place.offset) + " of the shared arena, which has " +
               std::to_string(request_.shared_bytes));
      return false;
    }
    place.shadow = &block.shadow;
    return fine_enough(place, bytes);
  }
  for (Buffer& b : buffers_) {
    place.offset = p - b.base;
    if (place.offset < 0 || place.offset + bytes > b.bytes) continue;
    place.buffer = &b;
    place.shadow = b.use == ArgumentUse::kRead ? nullptr : &b.shadow;
    return fine_enough(place, bytes);
  }
  find(FindingKind::kOutOfBounds, line, out_of_bounds_text(p, bytes, verb));
  return false;
}

/// An access smaller than what the shadow tells apart ends this run: the next one has finer
/// shadows.
bool Machine::fine_enough(const Place& place, int bytes) {
  if (place.shadow == nullptr || static_cast<std::size_t>(bytes) >= place.shadow->granule())
    return true;
  (place.buffer == nullptr ? granules.shared : granules.global) = static_cast<std::size_t>(bytes);
  too_coarse_ = true;
  stop();
}

void Machine::note_read(const Place& place, int bytes, const Accessor& who) {
  if (place.shadow == nullptr) return;
  Shadow& shadow = *place.shadow;
  const auto granule = static_cast<std::int64_t>(shadow.granule());
  for (std::int64_t i = 0; i < bytes; i += granule) {
    Cell& cell = shadow.at(static_cast<std::size_t>(place.offset + i));
    const Place here{place.shadow, place.offset + i, place.buffer};
    Epoch other;
    if (cell.written() && !ordered(cell.write, who)) {
      race(cell.write, "reads", "a write", here, who.line);
    } else if (shadow.undefined(cell)) {
      find(FindingKind::kUninitialised, who.line,
           "reads " + name_of(here) + ", which nobody has written");
    } else if (cell.state == CellState::kAtomic && unordered_atomic(here, who, false, other)) {
      race(other, "reads", "an atomic", here, who.line);
    }
    shadow.add_reader(cell, who);
  }
}

void Machine::note_write(const Place& place, int bytes, const Accessor& who, bool pending) {
  if (place.shadow == nullptr) return;
  Shadow& shadow = *place.shadow;
  const auto granule = static_cast<std::int64_t>(shadow.granule());
  for (std::int64_t i = 0; i < bytes; i += granule) {
    Cell& cell = shadow.at(static_cast<std::size_t>(place.offset + i));
    const Place here{place.shadow, place.offset + i, place.buffer};
    Epoch other;
    if (cell.written() && !ordered(cell.write, who)) {
      race(cell.write, "writes", "a write", here, who.line);
    } else if (cell.read() && shadow.unordered_reader(cell, who, other)) {
      race(other, "writes", "a read", here, who.line);
    } else if (cell.state == CellState::kAtomic && unordered_atomic(here, who, true, other)) {
      race(other, "writes", "an atomic", here, who.line);
    }
    if (cell.state == CellState::kAtomic) atomics_of(here).erase(here.offset);
    shadow.clear_readers(cell);
    cell.state = CellState::kWritten;
    cell.touched = true;
    cell.write = {who.block, pending ? kPending : who.clock, who.thread, who.line};
  }
}

void Machine::load(const std::byte* p, int bytes, Space space, void* to, int line) {
  Place place;
  if (!locate(p, bytes, space, "reads", line, place)) {
    std::memset(to, 0xff, static_cast<std::size_t>(bytes));
    return;
  }
  const Accessor who = accessor(line);
  note_read(place, bytes, who);
  if (space == kUnchanging && place.shadow != nullptr) check_unchanged(place, bytes, who);
  std::memcpy(to, p, static_cast<std::size_t>(bytes));
}

/// The read-only path of a GPU may give what was there before the kernel wrote.
void Machine::check_unchanged(const Place& place, int bytes, const Accessor& who) {
  const auto granule = static_cast<std::int64_t>(place.shadow->granule());
  for (std::int64_t i = 0; i < bytes; i += granule) {
    if (!place.shadow->at(static_cast<std::size_t>(place.offset + i)).touched) continue;
    find(FindingKind::kStaleLoad, who.line,
         "reads " + name_of({place.shadow, place.offset + i, place.buffer}) +
             ", which this kernel has written, as if nobody wrote it");
    return;
  }
}

void Machine::store(std::byte* p, int bytes, Space space, const void* from, int line) {
  Place place;
  if (!locate(p, bytes, space, "writes", line, place)) return;
  if (place.shadow == nullptr) {
    find(FindingKind::kReadOnly, line, "writes " + name_of(place) + ", which is read only");
    return;
  }
  note_write(place, bytes, accessor(line), false);
  std::memcpy(p, from, static_cast<std::size_t>(bytes));
  if (space == kGlobal) ++memory_version_;
}

void Machine::async_copy(std::byte* to, const std::byte* from, int bytes, bool take, int line) {
  Place source, target;
  const Accessor who = accessor(line);
  if (take && !locate(from, bytes, kGlobal, "copies", line, source)) return;
  if (!locate(to, bytes, kShared, "copies to", line, target)) return;
  if (take) note_read(source, bytes, who);
  note_write(target, bytes, who, true);
  current_->open_copies.push_back({to, from, bytes, take, false});
  if (request_.mode == EmulationMode::kEager) move(current_->open_copies.back());
}

void Machine::move(AsyncCopy& copy) {
  if (copy.moved) return;
  copy.moved = true;
  if (copy.take)
    std::memcpy(copy.to, copy.from, static_cast<std::size_t>(copy.bytes));
  else
    std::memset(copy.to, 0, static_cast<std::size_t>(copy.bytes));
}

void Machine::async_commit() {
  Thread& me = *current_;
  me.copy_groups.push_back(std::move(me.open_copies));
  me.open_copies.clear();
}

void Machine::async_wait(int groups, int line) {
  step(line);
  Thread& me = *current_;
  while (me.copy_groups.size() > static_cast<std::size_t>(groups)) {
    complete(me.copy_groups.front());
    me.copy_groups.pop_front();
  }
}

/// The data is there and counts as written by this thread now.
void Machine::complete(std::vector<AsyncCopy>& group) {
  const Thread& me = *current_;
  Shadow& shadow = me.block->shadow;
  for (AsyncCopy& c : group) {
    move(c);
    for (int i = 0; i < c.bytes; i += static_cast<int>(shadow.granule())) {
      Epoch& e = shadow.at(static_cast<std::size_t>(c.to - me.block->arena + i)).write;
      if (e.clock == kPending && e.thread == me.index) e.clock = me.clock;
    }
  }
}

/// Late mode: one copy in eight of those under way arrives.
void Machine::move_some(Block& block) {
  for (Thread& t : block.threads) {
    for (AsyncCopy& c : t.open_copies)
      if (!c.moved && rng_.below(8) == 0) move(c);
    for (auto& group : t.copy_groups)
      for (AsyncCopy& c : group)
        if (!c.moved && rng_.below(8) == 0) move(c);
  }
}

}  // namespace tessera::runtime::emulator
