#include "search/rules/tile_nest.h"

#include <algorithm>

namespace tessera::search {

using schedule::Param;
using schedule::RootAxis;

TileNest::TileNest(SketchBuilder& b, const std::string& stage, const std::string& prefix, bool columns_outer)
    : b_(&b),
      shape_(shape_of(b.stage(stage))),
      positions_(b.stage(stage).data_axes()),
      prefix_(prefix),
      columns_outer_(columns_outer),
      lanes_(lanes_for(b.task(), b.stage(stage), shape_.column.extent)) {}

void TileNest::declare() {
  const int registers = b_->task().target.vector_registers;
  const std::int64_t blocks = (shape_.column.extent + lanes_ - 1) / lanes_;
  std::vector<std::int64_t> widths;
  for (std::int64_t n = 1; n <= std::min<std::int64_t>(8, blocks); ++n) widths.push_back(n * lanes_);
  const std::string width = prefix_ + ".width";
  b_->hole(width, widths);
  // The accumulators of a tile are the product of its row counts and its columns.
  Monomial accumulators{1, {width}};
  std::int64_t rows_most = 1;
  for (const RootAxis& r : shape_.rows) {
    std::vector<std::int64_t> counts;
    for (std::int64_t n = 1; n <= std::min<std::int64_t>(r.extent, 14); ++n) counts.push_back(n);
    rows_most *= counts.back();
    b_->hole(hole(r, "rows"), counts);
    b_->hole(hole(r, "mid"), powers_up_to(std::min<std::int64_t>(64, r.extent)));
    // One cache block holds at most the whole axis.
    b_->require({"cache block of " + r.axis, {{1, {hole(r, "rows"), hole(r, "mid")}}}, 0, std::max<std::int64_t>(2 * r.extent, 1)});
    accumulators.holes.push_back(hole(r, "rows"));
  }
  b_->hole(hole(shape_.column, "mid"), powers_up_to(std::min<std::int64_t>(64, blocks)));
  b_->require({"cache block of " + shape_.column.axis, {{1, {width, hole(shape_.column, "mid")}}}, 0, std::max<std::int64_t>(2 * blocks * lanes_, 1)});
  b_->require({"register file", {accumulators, {1, {width}}}, 0, static_cast<std::int64_t>(registers - 1) * lanes_});
  // Fewer chains than the multiply-add unit has in flight would leave it idle.
  const std::int64_t most = std::min<std::int64_t>((registers - 2) / 2 * lanes_, rows_most * widths.back());
  b_->require({"independent accumulators", {accumulators}, std::min<std::int64_t>(8 * lanes_, most), INT64_MAX});
}

std::string TileNest::axis_of(const std::string& stage, const RootAxis& r) const {
  const auto at = std::find(positions_.begin(), positions_.end(), r.axis) - positions_.begin();
  return b_->stage(stage).roots[static_cast<std::size_t>(at)].axis;
}

std::vector<std::string> TileNest::block_loops(const std::string& stage) const {
  std::vector<std::string> out;
  for (const RootAxis& r : shape_.others) out.push_back(axis_of(stage, r));
  const std::string column = axis_of(stage, shape_.column) + ".0";
  if (columns_outer_) out.push_back(column);
  for (const RootAxis& r : shape_.rows) out.push_back(axis_of(stage, r) + ".0");
  if (!columns_outer_) out.push_back(column);
  return out;
}

std::string TileNest::tile_loop(const std::string& stage) const {
  const RootAxis& last = columns_outer_ && !shape_.rows.empty() ? shape_.rows.back() : shape_.column;
  return axis_of(stage, last) + ".1";
}

Status TileNest::tile(const std::string& stage, bool blocks, const std::vector<std::string>& between) {
  std::vector<std::string> middle, rows;
  const auto cut = [&](const std::string& a, const std::string& inner, const Param& mid, const Param& size) -> Status {
    middle.push_back(a + ".1");
    if (blocks) return b_->step(schedule::Split{stage, a, {a + ".0", a + ".1", inner}, {mid, size}, ir::Tail::kPartition});
    return b_->step(schedule::Split{stage, a, {a + ".1", inner}, {size}, ir::Tail::kPartition});
  };
  for (const RootAxis& r : shape_.rows) {
    const std::string a = axis_of(stage, r);
    TESSERA_TRY_DONE(cut(a, a + ".2", Param::open(hole(r, "mid")), Param::open(hole(r, "rows"))));
    rows.push_back(a + ".2");
  }
  const std::string c = axis_of(stage, shape_.column);
  TESSERA_TRY_DONE(cut(c, c + ".t", Param::open(hole(shape_.column, "mid")), Param::open(prefix_ + ".width")));
  TESSERA_TRY_DONE(b_->step(schedule::Split{stage, c + ".t", {c + ".2", c + ".3"}, {lanes_}, ir::Tail::kPartition}));
  if (columns_outer_) std::rotate(middle.begin(), middle.end() - 1, middle.end());
  std::vector<std::string> order;
  if (blocks) {
    order = block_loops(stage);
  } else {
    for (const RootAxis& r : shape_.others) order.push_back(axis_of(stage, r));
  }
  order.insert(order.end(), between.begin(), between.end());
  order.insert(order.end(), middle.begin(), middle.end());
  order.insert(order.end(), rows.begin(), rows.end());
  order.push_back(c + ".2");
  order.push_back(c + ".3");
  TESSERA_TRY_DONE(b_->step(schedule::Reorder{stage, order}));
  for (const std::string& r : rows) TESSERA_TRY_DONE(b_->step(schedule::Unroll{stage, r}));
  TESSERA_TRY_DONE(b_->step(schedule::Unroll{stage, c + ".2"}));
  return b_->step(schedule::Vectorize{stage, c + ".3"});
}

std::vector<std::string> TileNest::reduce_axes() const {
  std::vector<std::string> out;
  for (const RootAxis& r : shape_.reduce) out.push_back(r.axis);
  return out;
}

Status TileNest::accumulate(const std::string& accumulator, const std::string& stage, const std::string& loop,
                            const std::vector<std::string>& reduce, const std::vector<std::string>& fixed) {
  TESSERA_TRY_DONE(b_->step(schedule::ComputeAt{accumulator, stage, loop}));
  TESSERA_TRY_DONE(b_->step(schedule::SetScope{accumulator, ir::Scope::kRegister}));
  const std::string c = axis_of(accumulator, shape_.column);
  TESSERA_TRY_DONE(b_->step(schedule::Split{accumulator, c, {c + ".1", c + ".2"}, {lanes_}, ir::Tail::kPartition}));
  std::vector<std::string> order;
  for (const RootAxis& r : shape_.others) order.push_back(axis_of(accumulator, r));
  order.insert(order.end(), fixed.begin(), fixed.end());
  order.insert(order.end(), reduce.begin(), reduce.end());
  for (const RootAxis& r : shape_.rows) order.push_back(axis_of(accumulator, r));
  order.push_back(c + ".1");
  order.push_back(c + ".2");
  TESSERA_TRY_DONE(b_->step(schedule::Reorder{accumulator, order}));
  const std::int64_t inner = b_->stage(accumulator).find_axis(reduce.back())->extent;
  if (inner > 1) {
    const Param unroll = b_->hole(prefix_ + ".unroll", powers_up_to(std::min<std::int64_t>(4, inner)));
    TESSERA_TRY_DONE(b_->step(schedule::Annotate{accumulator, reduce.back(), "unroll", unroll}));
  }
  for (const RootAxis& r : shape_.rows) TESSERA_TRY_DONE(b_->step(schedule::Unroll{accumulator, axis_of(accumulator, r)}));
  TESSERA_TRY_DONE(b_->step(schedule::Unroll{accumulator, c + ".1"}));
  return b_->step(schedule::Vectorize{accumulator, c + ".2"});
}

}  // namespace tessera::search
