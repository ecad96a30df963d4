// How the loops over threads of one tile statement lie on the threads of a block.
#pragma once

#include <array>
#include <map>
#include <string>
#include <tuple>
#include <vector>

#include "ir/analysis/interval.h"
#include "ir/cuda_arch.h"
#include "ir/stmt.h"
#include "support/result.h"

namespace tessera::lower {

constexpr std::int64_t kWarpThreads = ir::kWarp;
constexpr std::int64_t kMostThreads = 1024;  // of a block

/// Extents of the thread loops of a tile statement: x, y, z, or warps of lanes. Thread t is
/// x = t % X, y = t / X % Y, z = t / (X*Y); or lane = t % 32, warp = t / 32.
struct ThreadShape {
  std::array<std::int64_t, 3> extents{1, 1, 1};
  std::int64_t warps = 0, lanes = 1;  // warps > 0: in place of x, y, z
  bool operator<(const ThreadShape& o) const {
    return std::tie(extents, warps, lanes) < std::tie(o.extents, o.warps, o.lanes);
  }
  /// Whether statements of this shape run on a part of that one's x and y: a row cut short by the end of
  /// the tensor. One-dimensional statements do not: they lie on the threads in their own order.
  bool fits(const ThreadShape& o) const {
    return warps == 0 && o.warps == 0 && extents[1] * extents[2] > 1 && extents[0] <= o.extents[0] && extents[1] <= o.extents[1] && extents[2] <= o.extents[2];
  }
  std::int64_t count() const { return warps > 0 ? warps * kWarpThreads : extents[0] * extents[1] * extents[2]; }
  std::int64_t extent(ir::ForKind level) const;
};

/// Of a statement, by the largest extents of its loops. Refuses x, y, z beside warps, and loops whose
/// count has no bound.
Result<ThreadShape> thread_shape(const ir::Stmt& s, const ir::Bounds& outer);

/// A named coordinate of a thread and what it is of `thread`, the linear index.
struct Coordinate {
  ir::Var var;
  ir::Expr value;
  std::int64_t extent = 1;  // of the level, for the range of `var`
};

/// The coordinates of all tile statements of a kernel; statements of the same shape share theirs, so that
/// equal places in registers have equal expressions.
class Coordinates {
 public:
  explicit Coordinates(ir::Var thread) : thread_(std::move(thread)) {}
  const ir::Var& of(const ThreadShape& shape, ir::ForKind level);
  /// In order of first use.
  const std::vector<Coordinate>& all() const { return all_; }
  const ir::Var& thread() const { return thread_; }

 private:
  ir::Var thread_;
  std::map<std::pair<ThreadShape, ir::ForKind>, std::size_t> known_;
  std::vector<Coordinate> all_;
};

}  // namespace tessera::lower
