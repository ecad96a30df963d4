// One tile statement for one thread: its loops over threads become the thread's coordinates.
#pragma once

#include <map>

#include "ir/stmt.h"
#include "lower/detail/thread_units.h"

namespace tessera::lower {

/// The kernel around a tile statement.
struct KernelThreads {
  Coordinates coordinates;                            // that its statements ask for
  std::int64_t count = 1;                             // threads of a block
  std::map<std::uint64_t, ir::Expr> identities = {};  // what reductions start from, by the buffer
};

/// `s` for this thread, on threads of `shape`. `in_loop`: it runs more than once. Refuses reductions that threads share
/// where they cannot meet.
Result<ir::Stmt> bind_unit(const ir::Stmt& s, const ThreadShape& shape, KernelThreads& kernel, const ir::Bounds& bounds, bool in_loop);

}  // namespace tessera::lower
