#include "polyhedral/detail/cuda_elements.h"

#include <algorithm>
#include <optional>

#include "polyhedral/detail/cuda_threads.h"
#include "polyhedral/detail/reads.h"

namespace tessera::polyhedral::detail {

namespace {

using schedule::Stage;

constexpr std::int64_t kTile = 32, kRows = 8;  // of elements, of threads

struct Crossing {
  std::string axis, tensor;  // the axis of the stage along which the operand lies; the operand
};

std::optional<Crossing> crossing_of(const Draft& d, const Stage& s) {
  for (std::size_t i = 0; i + 1 < s.roots.size(); ++i) {
    for (const ir::Load* l : reads_of(s)) {
      const auto along = stride_along(*l, s.roots[i].coordinate), last = stride_along(*l, s.roots.back().coordinate);
      const Stage& p = *d.state.producer(l->buffer.get());
      const bool whole = p.placement == schedule::Placement::kRoot;
      if (whole && s.roots[i].extent > 1 && s.roots.back().extent > 1 && along == 1 && last && *last > 1) return Crossing{s.roots[i].axis, p.name};
    }
  }
  return std::nullopt;
}

}  // namespace

Status vectors_kernel_of(Draft& d, const std::string& stage) {
  const Stage& s = d.stage(stage);
  const std::int64_t v = vector_length(s.roots.back().extent, s.outputs[0]->dtype.bytes());
  TESSERA_TRY(f, fused(d, stage, s.data_axes(), "f"));
  TESSERA_TRY_DONE(d.step(schedule::Split{stage, f, {f + ".b", f + ".x", f + ".v"}, {kThreadsOfBlock, v}, ir::Tail::kPartition}));
  TESSERA_TRY_DONE(d.step(schedule::Bind{stage, f + ".b", ir::ForKind::kBlockX}));
  TESSERA_TRY_DONE(d.step(schedule::Bind{stage, f + ".x", ir::ForKind::kThreadX}));
  return v > 1 ? d.step(schedule::Vectorize{stage, f + ".v"}) : Status(Done{});
}

bool crosses(const Draft& d, const std::string& stage) { return crossing_of(d, d.stage(stage)).has_value(); }

Status transposed_kernel_of(Draft& d, const std::string& stage) {
  const Crossing c = *crossing_of(d, d.stage(stage));
  const Names data = d.stage(stage).data_axes();
  const std::string y = c.axis, x = data.back(), tile = c.tensor + ".s";
  TESSERA_TRY_DONE(d.step(schedule::Split{stage, y, {y + ".b", y + ".u", y + ".y"}, {kTile / kRows, kRows}, ir::Tail::kPartition}));
  TESSERA_TRY_DONE(d.step(schedule::Split{stage, x, {x + ".b", x + ".x"}, {kTile}, ir::Tail::kPartition}));
  Names grid;
  for (const std::string& a : data) {
    if (a != y && a != x) grid.push_back(a);
  }
  grid.insert(grid.end(), {y + ".b", x + ".b"});
  Names order = grid;
  order.insert(order.end(), {y + ".y", x + ".x", y + ".u"});
  TESSERA_TRY_DONE(d.step(schedule::Reorder{stage, order}));
  TESSERA_TRY(block, bind_grid(d, stage, grid));
  TESSERA_TRY_DONE(d.step(schedule::Bind{stage, y + ".y", ir::ForKind::kThreadY}));
  TESSERA_TRY_DONE(d.step(schedule::Bind{stage, x + ".x", ir::ForKind::kThreadX}));
  TESSERA_TRY_DONE(d.step(schedule::CacheRead{c.tensor, {stage}, tile, ir::Scope::kShared}));
  TESSERA_TRY_DONE(d.step(schedule::ComputeAt{tile, stage, block}));
  TESSERA_TRY_DONE(d.step(schedule::PadBox{tile}));
  const Names own = d.stage(tile).data_axes();
  for (std::size_t i = own.size() - 1; i-- > 0;) {
    if (d.extent(tile, own[i]) < 2) continue;
    TESSERA_TRY_DONE(d.step(schedule::StorageAlign{tile, own[i], 2, 1}));
    break;
  }
  TESSERA_TRY(t, fused(d, tile, own, "t"));
  return d.step(schedule::Spread{tile, t, {t + ".0", t + ".x"}, stage});
}

}  // namespace tessera::polyhedral::detail
