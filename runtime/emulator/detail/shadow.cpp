#include "runtime/emulator/detail/shadow.h"

#include <cstring>
#include <new>

namespace tessera::runtime::emulator {

bool ordered(const Epoch& e, const Accessor& who) {
  if (e.clock == kPending) return false;
  if (e.block == who.block) return e.thread == who.thread || e.clock <= (*who.view->own)[e.thread];
  if (!who.view->others) return false;
  const auto known = who.view->others->find(e.block);
  return known != who.view->others->end() && e.clock <= (*known->second)[e.thread];
}

void Shadow::reset(std::size_t bytes, std::size_t granule, bool defined) {
  const std::size_t size = (bytes + granule - 1) / granule;
  if (size == size_ && size != 0) {
    std::memset(static_cast<void*>(cells_.get()), 0, size * sizeof(Cell));
  } else if (size != 0) {
    cells_.reset(static_cast<Cell*>(std::calloc(size, sizeof(Cell))));  // zero pages, none touched
    if (!cells_) throw std::bad_alloc();
  }
  size_ = size;
  used_.assign(size / kChunk + 1, 0);
  granule_ = granule;
  defined_ = defined;
  nodes_.assign(1, {});
  free_ = 0;
}

void Shadow::clear_readers(Cell& cell) {
  for (std::uint32_t i = cell.readers.next; i != 0;) {
    const std::uint32_t next = nodes_[i].next;
    nodes_[i].next = free_;
    free_ = i;
    i = next;
  }
  cell.readers.lanes = 0;
  cell.readers.next = 0;
  cell.many_blocks = false;
}

void Shadow::add_reader(Cell& cell, const Accessor& who) {
  const auto warp = static_cast<std::uint16_t>(who.thread / 32);
  const std::uint32_t lane = 1u << (who.thread % 32);
  Readers& first = cell.readers;
  const auto same = [&](const Readers& r) {
    return r.block == who.block && r.warp == warp && r.lanes != 0;
  };
  if (same(first) && first.clock == who.clock && first.interval == who.interval) {
    first.lanes |= lane;
    return;
  }
  // Readers of an earlier interval of the same block are ordered before whoever comes now.
  const bool stale =
      !cell.many_blocks && first.block == who.block && first.interval != who.interval;
  if (!cell.read() || stale) {
    clear_readers(cell);
    first = {who.block, who.interval, who.clock, lane, warp, who.line, 0};
    return;
  }
  if (first.block != who.block) cell.many_blocks = true;
  // A later read of a thread stands for its earlier ones.
  if (same(first)) first.lanes &= ~lane;
  for (std::uint32_t i = first.next; i != 0; i = nodes_[i].next) {
    if (!same(nodes_[i])) continue;
    if (nodes_[i].clock == who.clock) {
      nodes_[i].lanes |= lane;
      return;
    }
    nodes_[i].lanes &= ~lane;
  }
  const Readers fresh{who.block, who.interval, who.clock, lane, warp, who.line, first.next};
  if (first.lanes == 0) {
    first = fresh;
    return;
  }
  std::uint32_t node = free_;
  if (node != 0) {
    free_ = nodes_[node].next;
    nodes_[node] = fresh;
  } else {
    node = static_cast<std::uint32_t>(nodes_.size());
    nodes_.push_back(fresh);
  }
  first.next = node;
}

bool Shadow::unordered_reader(const Cell& cell, const Accessor& who, Epoch& reader) const {
  const auto check = [&](const Readers& r) {
    if (r.block == who.block && r.interval < who.interval) return false;
    for (std::uint32_t left = r.lanes; left != 0; left &= left - 1) {
      const auto thread = static_cast<std::uint16_t>(r.warp * 32 + __builtin_ctz(left));
      reader = {r.block, r.clock, thread, r.line};
      if (!ordered(reader, who)) return true;
    }
    return false;
  };
  if (check(cell.readers)) return true;
  for (std::uint32_t i = cell.readers.next; i != 0; i = nodes_[i].next)
    if (check(nodes_[i])) return true;
  return false;
}

}  // namespace tessera::runtime::emulator
