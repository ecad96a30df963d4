// A reduction whose loop is spread over threads: each keeps a partial result, then they meet.
#pragma once

#include <map>
#include <set>
#include <vector>

#include "ir/stmt.h"
#include "lower/detail/thread_units.h"

namespace tessera::lower {

/// A loop of a reduction over threads.
bool is_join(const ir::For& n);

/// The update of a reduction in the form that lowering gives those of joined threads:
///   let old0 = R0[at] in let new0 = .. in ... let out0 = f(old.., new..) in ... R0[at] = out0; ...
struct JoinUpdate {
  std::vector<ir::Buffer> results;       // R0, R1, ...
  std::vector<ir::Exprs> at;
  std::set<ir::ForKind> levels;          // of the threads that share it
  /// The same with the old values read from `old[i][old_at[i]]`, the new values given, and the outcome
  /// written where the old values were.
  ir::Stmt with(const std::vector<ir::Buffer>& old, const std::vector<ir::Exprs>& old_at, const ir::Exprs& fresh) const;

  std::vector<ir::Var> old_vars, new_vars;
  ir::Stmt tail;  // inside the lets of old and new values
};

/// Of the outermost loop over threads around it; refuses bodies of another form.
Result<JoinUpdate> join_update(const ir::For& loop);

/// The threads that share a result: `lanes` neighbours of a warp, `warps` neighbouring warps.
struct JoinGroup {
  std::int64_t lanes = 1, warps = 1;
  ir::Expr first_warp;  // of this thread's group
};
/// Of a block of `threads`. Refuses levels whose threads are no neighbours, and numbers of threads that do not lie
/// whole in warps beside those of other results.
Result<JoinGroup> join_group(const ThreadShape& shape, const std::set<ir::ForKind>& levels, std::int64_t threads, Coordinates& coordinates);

/// Statements after which `partial` holds the joined value in all threads of a group. `threads`: of the
/// block. `again`: inside a loop, so that scratch of the round before must have been read.
ir::Stmt joined(const JoinUpdate& update, const std::vector<ir::Buffer>& partial, const JoinGroup& group, std::int64_t threads,
                bool again, const ir::Var& thread);

}  // namespace tessera::lower
