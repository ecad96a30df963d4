// Which threads of a block run a statement, as far as that hangs on the thread alone.
#pragma once

#include <bitset>
#include <optional>
#include <utility>
#include <vector>

#include "ir/stmt.h"
#include "lower/detail/thread_units.h"

namespace tessera::lower {

/// Threads of a block by their index.
using ThreadSet = std::bitset<kMostThreads>;

class ThreadSets {
 public:
  /// Of the kernel that this loop over threads belongs to; inside of it are lets of the coordinates of a thread.
  void start(const ir::For& threads);

  const ThreadSet& all() const { return all_; }
  /// Of `set` those for which `condition` holds. What hangs on more than the thread keeps all of them.
  ThreadSet under(const ir::Expr& condition, const ThreadSet& set);

 private:
  std::optional<std::int64_t> value(const ir::Expr& e, std::int64_t thread) const;

  ThreadSet all_;
  ir::Var thread_;
  std::vector<std::pair<ir::Var, ir::Expr>> coordinates_;
  std::vector<std::pair<ir::Expr, ThreadSet>> known_;  // by condition
};

}  // namespace tessera::lower
