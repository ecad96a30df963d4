#include "polyhedral/detail/partial_sums.h"

#include <algorithm>

namespace tessera::polyhedral::detail {

namespace {

/// The elements whose partial sums are in registers together.
struct SumTile {
  std::string around;     // the loop around them; empty: all of the stage
  std::size_t axes = 0;   // trailing data axes that the tile spans
  Names inner;            // its loops
};

Result<SumTile> tile_of(Draft& d, const std::string& name, std::int64_t columns, Names& loops) {
  const Names data = d.stage(name).data_axes();
  SumTile out;
  for (std::size_t back = 1; back <= std::min<std::size_t>(2, data.size()); ++back) {
    const std::string& a = data[data.size() - back];
    const std::int64_t n = d.stage(name).leaf_index(a) < 0 ? 0 : d.extent(name, a), most = back == 1 ? columns : kRowsOfTile;
    if (n < 2) break;
    if (n > most) {
      TESSERA_TRY_DONE(d.step(schedule::Split{name, a, {a + ".1", a + ".r"}, {most}, ir::Tail::kPartition}));
      // Stages of the nest are computed for a tile then.
      std::replace(loops.begin(), loops.end(), a, a + ".1");
    }
    out.inner.insert(out.inner.begin(), n > most ? a + ".r" : a);
    out.axes = back;
  }
  Names order, last;
  for (const std::string& leaf : d.stage(name).leaves) {
    const bool tiled = std::find(out.inner.begin(), out.inner.end(), leaf) != out.inner.end();
    const bool reduces = d.stage(name).find_axis(leaf)->kind == schedule::AxisKind::kReduce;
    (tiled || reduces ? last : order).push_back(leaf);
  }
  if (!order.empty()) out.around = order.back();
  std::stable_partition(last.begin(), last.end(), [&](const std::string& l) { return d.stage(name).find_axis(l)->kind == schedule::AxisKind::kData; });
  order.insert(order.end(), last.begin(), last.end());
  if (order.size() > 1) TESSERA_TRY_DONE(d.step(schedule::Reorder{name, order}));
  return out;
}

}  // namespace

Status sum_in_vectors(Draft& d, const PartialSums& sums, Names& loops) {
  const std::string &name = sums.stage, &axis = sums.axis, part = name + ".part", lane = axis + ".l";
  TESSERA_TRY_DONE(d.step(schedule::Split{name, axis, {axis + ".0", lane}, {sums.lanes}, ir::Tail::kPartition}));
  TESSERA_TRY_DONE(d.step(schedule::Rfactor{name, lane, part}));
  if (sums.place) TESSERA_TRY_DONE(d.step(schedule::ComputeAt{name, sums.place->stage, sums.place->axis}));
  TESSERA_TRY(tile, tile_of(d, name, sums.columns, loops));
  if (!tile.around.empty()) TESSERA_TRY_DONE(d.step(schedule::ComputeAt{part, name, tile.around}));
  if (tile.around.empty() && sums.place) TESSERA_TRY_DONE(d.step(schedule::ComputeAt{part, sums.place->stage, sums.place->axis}));
  Names own = d.stage(part).data_axes(), order, rows;
  own.pop_back();  // the lanes
  for (; !own.empty() && rows.size() < tile.axes; own.pop_back()) rows.insert(rows.begin(), own.back());
  order = own;
  for (const schedule::RootAxis& r : d.stage(part).roots) {
    if (r.kind == schedule::AxisKind::kReduce) order.push_back(r.axis);
  }
  order.insert(order.end(), rows.begin(), rows.end());
  order.push_back(lane);
  TESSERA_TRY_DONE(d.step(schedule::Reorder{part, order}));
  TESSERA_TRY_DONE(d.step(schedule::Vectorize{part, lane}));
  if (d.stage(part).placement != schedule::Placement::kAt) return Done{};
  for (const std::string& r : rows) TESSERA_TRY_DONE(d.step(schedule::Unroll{part, r}));
  for (const std::string& r : tile.inner) TESSERA_TRY_DONE(d.step(schedule::Unroll{name, r}));
  TESSERA_TRY_DONE(d.step(schedule::Unroll{name, lane}));
  return d.step(schedule::SetScope{part, ir::Scope::kRegister});
}

}  // namespace tessera::polyhedral::detail
