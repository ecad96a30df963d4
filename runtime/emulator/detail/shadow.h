// What the race detector remembers of a piece of memory: for each granule the last write and the
// reads since (FastTrack, with the reads of a warp in one word).
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <memory>
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
  kInitial,  // as before the kernel: Shadow says whether that is defined
  kDefined,  // written before this launch
  kWritten,  // by `write`
  kAtomic,   // by atomics since (detail/atomics.cpp); `write` is the last ordinary one, if any
};

/// All zero bytes are a fresh cell, so that those nobody accesses cost no memory.
struct Cell {
  CellState state = CellState::kInitial;
  bool many_blocks = false;  // the readers are not all of one block
  bool touched = false;      // written since the kernel began
  Epoch write;
  Readers readers;
  bool written() const { return write.clock != 0; }
  bool read() const { return readers.lanes != 0 || readers.next != 0; }
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
  /// Forgets everything. `defined`: the memory holds values before the kernel.
  void reset(std::size_t bytes, std::size_t granule, bool defined);

  std::size_t granule() const { return granule_; }
  Cell& at(std::size_t byte) {
    const std::size_t i = byte / granule_;
    used_[i / kChunk] = 1;
    return cells_[i];
  }
  /// f(byte offset, cell) for all cells but those that nobody has asked for.
  template <class F>
  void for_each_used(F&& f) const {
    for (std::size_t chunk = 0; chunk < used_.size(); ++chunk) {
      if (used_[chunk] == 0) continue;
      for (std::size_t i = chunk * kChunk; i < std::min(size_, (chunk + 1) * kChunk); ++i)
        f(i * granule_, cells_[i]);
    }
  }
  bool undefined(const Cell& cell) const { return cell.state == CellState::kInitial && !defined_; }

  void add_reader(Cell& cell, const Accessor& who);
  /// The first reader that is not ordered before `who`; false when there is none.
  bool unordered_reader(const Cell& cell, const Accessor& who, Epoch& reader) const;
  void clear_readers(Cell& cell);

 private:
  std::size_t granule_ = 4;
  static constexpr std::size_t kChunk = 1024;
  std::size_t size_ = 0;
  std::vector<std::uint8_t> used_;  // a chunk of cells
  std::unique_ptr<Cell[], decltype(&std::free)> cells_{nullptr, &std::free};
  bool defined_ = false;
  std::vector<Readers> nodes_{1};  // 0 stands for none
  std::uint32_t free_ = 0;
};

}  // namespace tessera::runtime::emulator
