// What the race detector remembers of a piece of memory: for each granule the last write and the
// reads since (FastTrack, with the reads of a warp in one word).
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "runtime/emulator/detail/clocks.h"

namespace tessera::runtime::emulator {

inline constexpr Clock kPending = 0xffffffff;  // of a write whose asynchronous copy is under way

struct Epoch {
  std::uint32_t block = 0;
  Clock clock = 0;  // of threads it starts at 1
  std::uint16_t thread = 0, line = 0;
};

/// The lanes of one warp that read at the same clock.
struct Readers {
  std::uint32_t block = 0;
  std::uint32_t interval = 0;  // how many block barriers their block had passed
  Clock clock = 0;
  std::uint32_t lanes = 0;
  std::uint16_t warp = 0, line = 0;
  std::uint32_t next = 0;  // in Shadow::nodes; 0: the last
};

enum class CellState : std::uint8_t {
  kUndefined,  // nobody wrote it
  kHost,       // written before the kernel
  kWritten,    // by `write`
  kAtomic,     // by atomics since (detail/atomics.cpp); `write` is the last ordinary one, if any
};

struct Cell {
  CellState state = CellState::kUndefined;
  bool many_blocks = false;  // the readers are not all of one block
  bool touched = false;      // written since the kernel began
  Epoch write;
  Readers readers;  // lanes == 0: none
  bool written() const { return write.clock != 0; }
};

/// Who accesses.
struct Accessor {
  std::uint32_t block, interval;
  Clock clock;
  std::uint16_t thread, line;
  const View* view;
};

/// True when what happened at `e` is ordered before what `who` does now.
bool ordered(const Epoch& e, const Accessor& who);

class Shadow {
 public:
  Shadow(std::size_t bytes, std::size_t granule, CellState state) { reset(bytes, granule, state); }
  Shadow() = default;
  void reset(std::size_t bytes, std::size_t granule, CellState state);

  std::size_t granule() const { return granule_; }
  Cell& at(std::size_t byte) { return cells_[byte / granule_]; }
  std::size_t size() const { return cells_.size(); }
  Cell& cell(std::size_t i) { return cells_[i]; }
  const Cell& cell(std::size_t i) const { return cells_[i]; }

  void add_reader(Cell& cell, const Accessor& who);
  /// The first reader that is not ordered before `who`; false when there is none.
  bool unordered_reader(const Cell& cell, const Accessor& who, Epoch& reader) const;
  void clear_readers(Cell& cell);

 private:
  std::size_t granule_ = 4;
  std::vector<Cell> cells_;
  std::vector<Readers> nodes_{1};  // 0 stands for none
  std::uint32_t free_ = 0;
};

}  // namespace tessera::runtime::emulator
