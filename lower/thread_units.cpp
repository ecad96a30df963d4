#include "lower/detail/thread_units.h"

#include <algorithm>

#include "ir/analysis/loops.h"
#include "ir/rewrite.h"

namespace tessera::lower {

using ir::Expr;
using ir::ForKind;
using ir::int_imm;

std::int64_t ThreadShape::extent(ForKind level) const {
  switch (level) {
    case ForKind::kThreadX: return extents[0];
    case ForKind::kThreadY: return extents[1];
    case ForKind::kThreadZ: return extents[2];
    case ForKind::kWarp: return std::max<std::int64_t>(1, warps);
    default: return lanes;
  }
}

namespace {

Status widen(const ir::Stmt& s, ir::Bounds bounds, ThreadShape& shape) {
  Status out = Done{};
  if (const auto* n = s.as<ir::For>()) {
    const auto [count, values] = ir::loop_range(*n, bounds);
    bounds[n->var.id()] = values;
    if (ir::is_thread_level(n->loop)) {
      if (!count.is_bounded()) return refuse("loop '", n->var.name(), "' is ", ir::to_string(n->loop), " and its count has no bound");
      const std::int64_t most = std::max<std::int64_t>(1, count.hi);
      if (n->loop == ForKind::kWarp) shape.warps = std::max(shape.warps, most);
      if (n->loop == ForKind::kLane) {
        shape.warps = std::max<std::int64_t>(shape.warps, 1);
        shape.lanes = std::max(shape.lanes, most);
      }
      const int xyz = static_cast<int>(n->loop) - static_cast<int>(ForKind::kThreadX);
      if (xyz >= 0 && xyz < 3) shape.extents[static_cast<std::size_t>(xyz)] = std::max(shape.extents[static_cast<std::size_t>(xyz)], most);
    }
  }
  ir::for_each_child(
      s, [](const Expr&) {},
      [&](const ir::Stmt& x) {
        if (x && out.ok()) out = widen(x, bounds, shape);
      });
  return out;
}

}  // namespace

Result<ThreadShape> thread_shape(const ir::Stmt& s, const ir::Bounds& outer) {
  ThreadShape shape;
  TESSERA_TRY_DONE(widen(s, outer, shape));
  if (shape.warps > 0 && shape.extents != std::array<std::int64_t, 3>{1, 1, 1}) {
    return refuse("one tile statement has loops over warps or lanes and over thread.x, y or z; use one kind");
  }
  return shape;
}

const ir::Var& Coordinates::of(const ThreadShape& shape, ForKind level) {
  // Warps and lanes are the same of every statement that has them.
  const auto [it, added] = known_.try_emplace({shape.warps > 0 ? ThreadShape{.warps = 1} : shape, level}, all_.size());
  if (!added) {
    Coordinate& c = all_[it->second];
    c.extent = std::max(c.extent, shape.extent(level));
    return c.var;
  }
  const std::int64_t x = shape.extents[0], y = shape.extents[1];
  const Expr t = thread_;
  Expr value;
  const char* name = "x";
  switch (level) {
    case ForKind::kThreadX: value = shape.count() == x ? t : ir::floormod(t, int_imm(x)); break;
    case ForKind::kThreadY: name = "y"; value = ir::floormod(ir::floordiv(t, int_imm(x)), int_imm(y)); break;
    case ForKind::kThreadZ: name = "z"; value = ir::floordiv(t, int_imm(x * y)); break;
    case ForKind::kWarp: name = "warp"; value = ir::floordiv(t, int_imm(kWarpThreads)); break;
    default: name = "lane"; value = ir::floormod(t, int_imm(kWarpThreads)); break;
  }
  all_.push_back({ir::Var::fresh(name), value, shape.extent(level)});
  return all_.back().var;
}

}  // namespace tessera::lower
