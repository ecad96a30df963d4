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

Result<SumTile> tile_of(Draft& d, const PartialSums& sums, Names& loops) {
  const std::string& name = sums.stage;
  const Names data = d.stage(name).data_axes();
  SumTile out;
  for (std::size_t back = 1; back <= std::min<std::size_t>(2, data.size()); ++back) {
    const std::string& a = data[data.size() - back];
    const std::int64_t n = d.stage(name).leaf_index(a) < 0 ? 0 : d.extent(name, a), most = back == 1 ? sums.columns : sums.rows;
    if (n < 2 || most < 2) break;
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

/// Loops of a stage of partial sums: its reduction, then the tile, then the vectors.
Status order_partials(Draft& d, const PartialSums& sums, const std::string& part, const SumTile& tile, const Names& vectors) {
  Names order, rows;
  for (const schedule::RootAxis& r : d.stage(part).roots) {
    if (r.kind == schedule::AxisKind::kData && std::find(vectors.begin(), vectors.end(), r.axis) == vectors.end()) order.push_back(r.axis);
  }
  for (; !order.empty() && rows.size() < tile.axes; order.pop_back()) rows.insert(rows.begin(), order.back());
  for (const schedule::RootAxis& r : d.stage(part).roots) {
    if (r.kind == schedule::AxisKind::kReduce && std::find(vectors.begin(), vectors.end(), r.axis) == vectors.end()) order.push_back(r.axis);
  }
  order.insert(order.end(), rows.begin(), rows.end());
  order.insert(order.end(), vectors.begin(), vectors.end());
  TESSERA_TRY_DONE(d.step(schedule::Reorder{part, order}));
  TESSERA_TRY_DONE(d.step(schedule::Vectorize{part, vectors.back()}));
  if (!tile.around.empty()) {
    TESSERA_TRY_DONE(d.step(schedule::ComputeAt{part, sums.stage, tile.around}));
  } else if (sums.place) {
    TESSERA_TRY_DONE(d.step(schedule::ComputeAt{part, sums.place->stage, sums.place->axis}));
  } else {
    return Done{};
  }
  order = rows;
  order.insert(order.end(), vectors.begin(), vectors.end() - 1);
  for (const std::string& a : order) TESSERA_TRY_DONE(d.step(schedule::Unroll{part, a}));
  return d.step(schedule::SetScope{part, ir::Scope::kRegister});
}

}  // namespace

Status sum_in_vectors(Draft& d, const PartialSums& sums, Names& loops) {
  const std::string &name = sums.stage, &axis = sums.axis, part = name + ".part", groups = name + ".groups";
  const std::string group = axis + ".g", lane = axis + ".l", rest = axis + ".0";
  const bool several = d.value(sums.groups) > 1;
  if (several) {
    TESSERA_TRY_DONE(d.step(schedule::Split{name, axis, {rest, group, lane}, {sums.groups, sums.lanes}, ir::Tail::kPartition}));
  } else {
    TESSERA_TRY_DONE(d.step(schedule::Split{name, axis, {rest, lane}, {sums.lanes}, ir::Tail::kPartition}));
  }
  TESSERA_TRY_DONE(d.step(schedule::Rfactor{name, lane, part}));
  if (several) {
    TESSERA_TRY_DONE(d.step(schedule::Rfactor{part, group, groups}));
    // The axes of groups come after the lanes; in storage a vector is one run.
    std::vector<schedule::LayoutPiece> storage;
    for (const std::string& a : d.stage(groups).data_axes()) {
      if (a != lane) storage.push_back({a, 0});
    }
    storage.push_back({lane, 0});
    TESSERA_TRY_DONE(d.step(schedule::TransformLayout{groups, storage}));
  }
  if (sums.place) TESSERA_TRY_DONE(d.step(schedule::ComputeAt{name, sums.place->stage, sums.place->axis}));
  TESSERA_TRY(tile, tile_of(d, sums, loops));
  TESSERA_TRY_DONE(order_partials(d, sums, part, tile, several ? Names{group, lane} : Names{lane}));
  if (several) TESSERA_TRY_DONE(order_partials(d, sums, groups, tile, {group, lane}));
  if (sums.unroll.is_open() || sums.unroll.value > 1) TESSERA_TRY_DONE(d.step(schedule::Annotate{several ? groups : part, rest, "unroll", sums.unroll}));
  if (d.stage(part).placement != schedule::Placement::kAt) return Done{};
  for (const std::string& r : tile.inner) TESSERA_TRY_DONE(d.step(schedule::Unroll{name, r}));
  return d.step(schedule::Unroll{name, lane});
}

}  // namespace tessera::polyhedral::detail
