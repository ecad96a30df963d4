// Who knows what of whom: vector clocks, shared where threads know the same.
//
// A thread counts its own synchronisations. What it knows of its block is a table (the clock of
// each thread up to which its accesses are ordered before ours); tables are immutable, and all
// threads that left a barrier hold the same one. What it knows of other blocks comes through
// atomics only and is nothing for most threads.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <vector>

namespace tessera::runtime::emulator {

using Clock = std::uint32_t;
using ClockTable = std::shared_ptr<const std::vector<Clock>>;  // one clock a thread of a block
using BlockClocks = std::shared_ptr<const std::map<std::uint32_t, ClockTable>>;  // null: nothing

/// The later of both, thread by thread. The same object when one covers the other.
ClockTable join(const ClockTable& a, const ClockTable& b);
BlockClocks join(const BlockClocks& a, const BlockClocks& b);

struct View {
  ClockTable own;      // threads of the own block
  BlockClocks others;  // other blocks
};

/// Accumulates the views of several threads of one block.
class ViewJoin {
 public:
  void add(const View& view);
  /// `at[i]` may be raised before the view is taken.
  std::vector<Clock>& table() { return table_; }
  View take();

 private:
  std::vector<const std::vector<Clock>*> seen_;
  std::vector<ClockTable> kept_;
  std::vector<Clock> table_;
  BlockClocks others_;
};

}  // namespace tessera::runtime::emulator
