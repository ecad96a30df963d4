// A reduction with reuse (matrix products, convolutions, pooling): a tile of accumulators in vector
// registers, loops around it for the caches, the vector operand optionally packed into panels.
//
//   for rows.0, columns.0 (parallel)          W: the stage that writes memory: an elementwise
//     for rows.1, columns.1                      consumer (bias, activation), or a copy
//       acc = 0
//       for reductions: acc[rows.2, columns] += ...      S: the reduction, scope register
//       W[rows.2, columns] = acc
//
// Limits: accumulators + one vector of each column group + one broadcast fit the register file.
#include "search/rules/reduction_shape.h"
#include "search/rules/rules.h"
#include "search/rules/tile_nest.h"

namespace tessera::search {

namespace {

struct Variant {
  bool pack = false;
  bool columns_outer = false;  // order of the cache loops
};

Result<SketchBuilder> tiled(SketchBuilder b, std::string s, Variant v) {
  std::string w = epilogue_of(b, b.stage(s));
  const bool fused = !w.empty();
  const std::string acc = fused ? s : s + ".acc";
  if (v.pack) TESSERA_TRY_DONE(pack_panel(b, s, acc + ".width"));
  TileNest nest(b, s, acc, v.columns_outer);
  if (!fused) {
    w = s;
    TESSERA_TRY_DONE(b.step(schedule::CacheWrite{w, acc, ir::Scope::kGlobal}));
  }
  nest.declare();
  TESSERA_TRY_DONE(nest.tile(w, true, {}));
  TESSERA_TRY_DONE(parallelize(b, w, nest.block_loops(w)));
  TESSERA_TRY_DONE(nest.accumulate(acc, w, nest.tile_loop(w), nest.reduce_axes()));
  b.finish(w);
  b.finish(acc);
  b.add_name(std::string("register_tile") + (fused ? ".epilogue" : "") + (v.pack ? ".pack" : "") +
             (v.columns_outer ? ".columns_outer" : ""));
  return b;
}

}  // namespace

bool has_reuse(const SketchBuilder& b, const std::string& name) {
  const schedule::Stage& s = b.stage(name);
  if (!s.is_reduction() || s.placement != schedule::Placement::kRoot || s.outputs.size() != 1 || s.data_axes().empty()) return false;
  const ReductionShape shape = shape_of(s);
  if (shape.column.extent < 2) return false;
  if (reads_in_vectors(s)) return true;
  return shape.panel != nullptr && !shape.rows.empty();  // a panel makes the reads contiguous
}

bool has_row_reuse(const SketchBuilder& b, const std::string& name) {
  return has_reuse(b, name) && !shape_of(b.stage(name)).rows.empty();
}

Verdict register_tile_meets(const SketchBuilder& b, const std::string& name) {
  return has_reuse(b, name) ? Verdict::kApplyAndSkipRest : Verdict::kPass;
}

std::vector<SketchBuilder> register_tile_expand(const SketchBuilder& b, const std::string& name) {
  const bool plain = reads_in_vectors(b.stage(name));
  const ReductionShape shape = shape_of(b.stage(name));
  std::vector<SketchBuilder> out;
  for (const bool pack : {false, true}) {
    for (const bool columns_outer : {false, true}) {
      if ((!pack && !plain) || (pack && (shape.panel == nullptr || shape.rows.empty())) || (columns_outer && shape.rows.empty())) continue;
      auto made = tiled(b, name, {pack, columns_outer});
      if (made.ok()) out.push_back(std::move(*made));
    }
  }
  return out;
}

}  // namespace tessera::search
