// Tiling at three levels of data loops with the reduction cut in between (SSRSRS), for reductions too
// long for their operands to stay in cache: the register tile of register_tile.cpp adds to a block of
// results in memory, one block of the reduction after the other.
//
//   for rows.0, columns.0 (parallel)
//     for k.0
//       for rows.1, columns.1
//         acc = 0                                       P: partial sums, scope register
//         for k.1: acc[rows.2, columns] += ...
//         C[rows.2, columns] += acc
//     W[block] = f(C[block])                            W: an elementwise consumer; then C is a block only
//
// Condition (that of Ansor's rule, with a reduction to cut): an operand is reused along rows, and the
// longest reduction axis is at least twice the shortest block.
#include <algorithm>

#include "search/rules/rules.h"
#include "search/rules/tile_nest.h"

namespace tessera::search {

namespace {

constexpr std::int64_t kShortestBlock = 64;

struct Variant {
  bool pack = false;
  bool columns_outer = false;
};

/// The axis that is cut: the longest one.
schedule::RootAxis cut_axis(const ReductionShape& shape) {
  return *std::max_element(shape.reduce.begin(), shape.reduce.end(),
                           [](const schedule::RootAxis& a, const schedule::RootAxis& b) { return a.extent < b.extent; });
}

/// 64, 96, 128, 192, ... below the extent: halves would leave large gaps.
std::vector<std::int64_t> block_lengths(std::int64_t extent) {
  std::vector<std::int64_t> out;
  for (std::int64_t p = kShortestBlock; p < extent && p <= 2048; p *= 2) {
    out.push_back(p);
    if (p + p / 2 < extent) out.push_back(p + p / 2);
  }
  return out;
}

/// A block of results that is not the output itself is scratch memory of each thread.
constexpr std::int64_t kScratchBytes = 256 << 10;

Result<SketchBuilder> blocked(SketchBuilder b, const std::string& s, Variant v) {
  const std::string w = epilogue_of(b, b.stage(s)), partial = s + ".acc";
  if (v.pack) TESSERA_TRY_DONE(pack_panel(b, s, partial + ".width"));
  TileNest nest(b, s, partial, v.columns_outer);
  const std::string k = cut_axis(nest.shape()).axis, outer = k + ".0", inner = k + ".1";
  nest.declare();
  const schedule::Param length = b.hole(partial + "." + k + ".block", block_lengths(cut_axis(nest.shape()).extent));
  TESSERA_TRY_DONE(b.step(schedule::Split{s, k, {outer, inner}, {length}, ir::Tail::kPartition}));
  TESSERA_TRY_DONE(b.step(schedule::Rfactor{s, outer, partial}));
  if (w.empty()) {
    TESSERA_TRY_DONE(nest.tile(s, true, {outer}));
    TESSERA_TRY_DONE(parallelize(b, s, nest.block_loops(s)));
  } else {
    TESSERA_TRY_DONE(nest.tile(w, true, {}));
    TESSERA_TRY_DONE(b.step(schedule::ComputeAt{s, w, nest.block_loops(w).back()}));
    TESSERA_TRY_DONE(parallelize(b, w, nest.block_loops(w)));
    TESSERA_TRY_DONE(nest.tile(s, false, {outer}));
    Monomial block{b.stage(s).outputs[0]->dtype.bytes(), {partial + ".width", partial + "." + nest.shape().column.axis + ".mid"}};
    for (const schedule::RootAxis& r : nest.shape().rows) {
      block.holes.push_back(partial + "." + r.axis + ".rows");
      block.holes.push_back(partial + "." + r.axis + ".mid");
    }
    b.require({"scratch memory of a block", {block}, 0, kScratchBytes});
  }
  std::vector<std::string> reduce = nest.reduce_axes();
  std::replace(reduce.begin(), reduce.end(), k, inner);
  TESSERA_TRY_DONE(nest.accumulate(partial, s, nest.tile_loop(s), reduce, {outer}));
  for (const std::string& stage : {s, partial, w}) {
    if (!stage.empty()) b.finish(stage);
  }
  b.add_name(std::string("multi_level_tiling") + (w.empty() ? "" : ".epilogue") + (v.pack ? ".pack" : "") +
             (v.columns_outer ? ".columns_outer" : ""));
  return b;
}

}  // namespace

Verdict multi_level_tiling_meets(const SketchBuilder& b, const std::string& name) {
  if (!has_row_reuse(b, name)) return Verdict::kPass;
  return cut_axis(shape_of(b.stage(name))).extent >= 2 * kShortestBlock ? Verdict::kApply : Verdict::kPass;
}

std::vector<SketchBuilder> multi_level_tiling_expand(const SketchBuilder& b, const std::string& name) {
  const bool plain = reads_in_vectors(b.stage(name));
  const bool panel = shape_of(b.stage(name)).panel != nullptr;
  std::vector<SketchBuilder> out;
  for (const bool pack : {false, true}) {
    for (const bool columns_outer : {false, true}) {
      if (pack ? !panel : !plain) continue;
      auto made = blocked(b, name, {pack, columns_outer});
      if (made.ok()) out.push_back(std::move(*made));
    }
  }
  return out;
}

}  // namespace tessera::search
