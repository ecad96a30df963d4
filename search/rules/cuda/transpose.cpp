// An elementwise stage with an operand that lies along another dimension than the results: a block reads
// a tile of it in the order in which it lies, keeps it in shared memory with one column more than needed
// (so that columns do not fall on one bank), and writes the tile in the order of the results.
//
//   i.b j.b (blocks): A.s[32, 33] (threads along A's own last dimension);  i.y (thread.y), i.u, j.x (thread.x)
#include <algorithm>

#include "search/rules/cuda/rules.h"

namespace tessera::search {

namespace {

struct Crossing {
  std::string axis;    // of the stage: that along which the operand lies
  std::string tensor;  // the stage of the operand
};

std::optional<Crossing> crossing_of(const SketchBuilder& b, const schedule::Stage& s) {
  for (std::size_t d = 0; d + 1 < s.roots.size(); ++d) {
    for (const ir::Load* l : reads_of(s)) {
      const auto along = stride_of(*l, s.roots[d].coordinate), last = stride_of(*l, s.roots.back().coordinate);
      const schedule::Stage* p = b.state().producer(l->buffer.get());
      const bool whole = p->placement == schedule::Placement::kRoot;
      if (whole && s.roots[d].extent > 1 && s.roots.back().extent > 1 && along == 1 && last && *last > 1) return Crossing{s.roots[d].axis, p->name};
    }
  }
  return std::nullopt;
}

constexpr std::int64_t kTile = 32;

}  // namespace

Verdict cuda_transpose_meets(const SketchBuilder& b, const std::string& name) {
  const schedule::Stage& s = b.stage(name);
  const bool plain = !s.is_reduction() && !s.is_scan() && !s.is_extern() && s.placement == schedule::Placement::kRoot && s.outputs.size() == 1;
  return plain && crossing_of(b, s) ? Verdict::kApplyAndSkipRest : Verdict::kPass;
}

std::vector<SketchBuilder> cuda_transpose_expand(const SketchBuilder& b, const std::string& name) {
  SketchBuilder next = b;
  const Crossing c = *crossing_of(b, b.stage(name));
  const std::vector<std::string> data = b.stage(name).data_axes();
  const std::string last = data.back(), tile = c.tensor + ".s";
  const auto run = [&]() -> Status {
    const schedule::Param rows = next.hole(name + ".rows", {4, 8, 16, 32});
    TESSERA_TRY_DONE(next.step(schedule::Split{name, c.axis, {"y.b", "y.t"}, {kTile}, ir::Tail::kPartition}));
    TESSERA_TRY_DONE(next.step(schedule::Split{name, "y.t", {"y.u", "y.y"}, {rows}, ir::Tail::kPartition}));
    TESSERA_TRY_DONE(next.step(schedule::Split{name, last, {"x.b", "x.x"}, {kTile}, ir::Tail::kPartition}));
    std::vector<std::string> blocks;
    for (const std::string& a : data) {
      if (a != c.axis && a != last) blocks.push_back(a);
    }
    blocks.push_back("y.b");
    blocks.push_back("x.b");
    std::vector<std::string> order = blocks;
    for (const char* l : {"y.y", "x.x", "y.u"}) order.emplace_back(l);
    TESSERA_TRY_DONE(next.step(schedule::Reorder{name, order}));
    TESSERA_TRY(block, fused(next, name, blocks, "block"));
    TESSERA_TRY_DONE(next.step(schedule::Bind{name, block, ir::ForKind::kBlockX}));
    TESSERA_TRY_DONE(next.step(schedule::Bind{name, "y.y", ir::ForKind::kThreadY}));
    TESSERA_TRY_DONE(next.step(schedule::Bind{name, "x.x", ir::ForKind::kThreadX}));
    TESSERA_TRY_DONE(next.step(schedule::CacheRead{c.tensor, {name}, tile, ir::Scope::kShared}));
    TESSERA_TRY_DONE(next.step(schedule::ComputeAt{tile, name, block}));
    TESSERA_TRY_DONE(next.step(schedule::PadBox{tile}));
    const std::vector<std::string> own = next.stage(tile).data_axes();
    for (std::size_t d = own.size() - 1; d-- > 0;) {
      if (next.stage(tile).find_axis(own[d])->extent < 2) continue;
      TESSERA_TRY_DONE(next.step(schedule::StorageAlign{tile, own[d], 2, 1}));
      break;
    }
    TESSERA_TRY(t, fused(next, tile, own, "t"));
    TESSERA_TRY_DONE(next.step(schedule::Spread{tile, t, {t + ".0", t + ".x"}, name}));
    next.finish(tile);
    return Done{};
  };
  if (!run().ok()) return {};
  next.add_name(name + ".transposed");
  next.finish(name);
  return {std::move(next)};
}

}  // namespace tessera::search
