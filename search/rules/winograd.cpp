// A 3x3 convolution by Winograd's algorithm (Lavin and Gray, 2016), for channels that lie last: bands of
// tiles, whose transformed inputs and products stay in the caches, a register tile for the products,
// transforms unrolled so that every copy is left with its own constants (Ansor's SimplifyConstTensor).
//
//   for bands of tile rows
//     tiles[t, a, b, c] = transformed inputs           rows of a tile in registers, unrolled over a, b
//     product[a, b, t, k] += tiles * filter            rows x width accumulators
//     for tiles, vectors of k: Y = transformed results
//
// Condition: the algorithm takes the stage, and its data axes end with rows, columns, channels.
#include <algorithm>

#include "schedule/algorithms.h"
#include "search/rules/rules.h"

namespace tessera::search {

namespace {

class Winograd {
 public:
  Winograd(SketchBuilder b, std::string stage, int tile) : b_(std::move(b)), y_(std::move(stage)), tile_(tile) {}

  Result<SketchBuilder> run() {
    TESSERA_TRY_DONE(b_.step(schedule::UseAlgorithm{y_, "winograd", {{"tile", tile_}}}));
    lanes_ = lanes_for(b_.task(), b_.stage(y_), b_.stage(y_).roots.back().extent);
    TESSERA_TRY_DONE(filter());
    TESSERA_TRY_DONE(fit_scratch());
    TESSERA_TRY_DONE(product());
    TESSERA_TRY_DONE(results());
    TESSERA_TRY_DONE(bands());
    for (const char* part : {".filter_rows", ".filter", ".tile_rows", ".tiles", ".product", ".product.acc", ".output_rows", ""}) b_.finish(y_ + part);
    b_.add_name("winograd" + std::to_string(tile_));
    return b_;
  }

 private:
  std::string part(const char* name) const { return y_ + name; }

  /// Weights of a panel of columns lie together; run-time weights are transformed in vectors.
  Status filter() {
    const std::string f = part(".filter"), rows = part(".filter_rows");
    const schedule::Param width = b_.hole(y_ + ".width", widths());
    TESSERA_TRY_DONE(b_.step(schedule::TransformLayout{f, {{"k", 0}, {"a", 0}, {"b", 0}, {"c", 0}, {"k", width}}}));
    TESSERA_TRY_DONE(b_.step(schedule::Split{f, "k", {"k0", "k1"}, {lanes_}, ir::Tail::kPartition}));
    TESSERA_TRY_DONE(b_.step(schedule::Reorder{f, {"c", "k0", "a", "b", "k1"}}));
    TESSERA_TRY_DONE(unrolled_vectors(f, "k1"));
    TESSERA_TRY_DONE(b_.step(schedule::ComputeAt{rows, f, "k0"}));
    TESSERA_TRY_DONE(b_.step(schedule::SetScope{rows, ir::Scope::kRegister}));
    return unrolled_vectors(rows, "k");
  }

  std::vector<std::int64_t> widths() const {
    const std::int64_t vectors = (b_.stage(y_).roots.back().extent + lanes_ - 1) / lanes_;
    std::vector<std::int64_t> out;
    for (std::int64_t n = 1; n <= std::min<std::int64_t>(4, vectors); ++n) out.push_back(n * lanes_);
    return out;
  }

  /// Unrolls every loop that chooses constants or has the length of a tile, vectorises `lane`.
  Status unrolled_vectors(const std::string& stage, const std::string& lane) {
    for (const std::string& leaf : std::vector<std::string>(b_.stage(stage).leaves)) {
      const schedule::Axis& a = *b_.stage(stage).find_axis(leaf);
      if (leaf != lane && (leaf == "a" || leaf == "b" || leaf == "i" || leaf == "x" || leaf == "s") && a.extent <= tile_ + 2) {
        TESSERA_TRY_DONE(b_.step(schedule::Unroll{stage, leaf}));
      }
    }
    return b_.step(schedule::Vectorize{stage, lane});
  }

  Status product() {
    const std::string p = part(".product"), acc = part(".product.acc");
    const schedule::Stage& s = b_.stage(p);
    const std::string reduction = std::find_if(s.roots.begin(), s.roots.end(), [](const auto& r) { return r.kind == schedule::AxisKind::kReduce; })->axis;
    std::vector<std::int64_t> counts;
    for (std::int64_t n = 1; n <= 14; ++n) counts.push_back(n);
    const schedule::Param rows = b_.hole(y_ + ".rows", counts), width = schedule::Param::open(y_ + ".width");
    const std::int64_t registers = b_.task().target.vector_registers;
    b_.require({"register file", {{1, {y_ + ".rows", y_ + ".width"}}, {1, {y_ + ".width"}}}, 0, (registers - 1) * lanes_});
    TESSERA_TRY_DONE(b_.step(schedule::CacheWrite{p, acc, ir::Scope::kGlobal}));
    TESSERA_TRY_DONE(b_.step(schedule::Split{p, "t", {"t0", "t1"}, {rows}, ir::Tail::kPartition}));
    TESSERA_TRY_DONE(b_.step(schedule::Split{p, "k", {"k0", "kt"}, {width}, ir::Tail::kPartition}));
    TESSERA_TRY_DONE(b_.step(schedule::Split{p, "kt", {"k1", "k2"}, {lanes_}, ir::Tail::kPartition}));
    TESSERA_TRY_DONE(b_.step(schedule::Reorder{p, {"k0", "a", "b", "t0", "t1", "k1", "k2"}}));
    TESSERA_TRY_DONE(b_.step(schedule::Unroll{p, "t1"}));
    TESSERA_TRY_DONE(b_.step(schedule::Unroll{p, "k1"}));
    TESSERA_TRY_DONE(b_.step(schedule::Vectorize{p, "k2"}));
    TESSERA_TRY_DONE(b_.step(schedule::ComputeAt{acc, p, "t0"}));
    TESSERA_TRY_DONE(b_.step(schedule::SetScope{acc, ir::Scope::kRegister}));
    TESSERA_TRY_DONE(b_.step(schedule::Split{acc, "k", {"k1", "k2"}, {lanes_}, ir::Tail::kPartition}));
    TESSERA_TRY_DONE(b_.step(schedule::Reorder{acc, {"a", "b", reduction, "t", "k1", "k2"}}));
    TESSERA_TRY_DONE(b_.step(schedule::Unroll{acc, "t"}));
    TESSERA_TRY_DONE(b_.step(schedule::Unroll{acc, "k1"}));
    return b_.step(schedule::Vectorize{acc, "k2"});
  }

  /// Tiles of results, a vector of channels at a time.
  Status results() {
    const std::vector<std::string> axes = b_.stage(y_).data_axes();
    if (axes.size() < 3) return refuse("no rows, columns and channels");
    row_ = axes[axes.size() - 3];
    const std::string x = axes[axes.size() - 2], k = axes.back(), rows = part(".output_rows");
    const std::int64_t tile_rows = (b_.stage(y_).find_axis(row_)->extent + tile_ - 1) / tile_;
    const schedule::Param band = b_.hole(y_ + ".band", powers_up_to(tile_rows));
    TESSERA_TRY_DONE(b_.step(schedule::Split{y_, row_, {row_ + ".0", row_ + ".t", row_ + ".i"}, {band, tile_}, ir::Tail::kPartition}));
    TESSERA_TRY_DONE(b_.step(schedule::Split{y_, x, {x + ".t", x + ".i"}, {tile_}, ir::Tail::kPartition}));
    TESSERA_TRY_DONE(b_.step(schedule::Split{y_, k, {k + ".0", k + ".1"}, {lanes_}, ir::Tail::kPartition}));
    std::vector<std::string> order(axes.begin(), axes.end() - 3);
    outer_ = order;
    outer_.push_back(row_ + ".0");
    for (const std::string& l : {row_ + ".0", row_ + ".t", x + ".t", k + ".0", row_ + ".i", x + ".i", k + ".1"}) order.push_back(l);
    TESSERA_TRY_DONE(b_.step(schedule::Reorder{y_, order}));
    TESSERA_TRY_DONE(b_.step(schedule::Unroll{y_, row_ + ".i"}));
    TESSERA_TRY_DONE(b_.step(schedule::Unroll{y_, x + ".i"}));
    TESSERA_TRY_DONE(b_.step(schedule::Vectorize{y_, k + ".1"}));
    TESSERA_TRY_DONE(b_.step(schedule::ComputeAt{rows, y_, k + ".0"}));
    TESSERA_TRY_DONE(b_.step(schedule::SetScope{rows, ir::Scope::kRegister}));
    return unrolled_vectors(rows, "k");
  }

  /// Transformed inputs and products of a band are scratch memory of a thread.
  Status fit_scratch() {
    if (b_.task().threads == 1) return Done{};
    const schedule::Stage& y = b_.stage(y_);
    const std::int64_t columns = (y.roots[y.data_axes().size() - 2].extent + tile_ - 1) / tile_;
    const std::int64_t channels = b_.stage(part(".tiles")).find_axis("c")->extent + b_.stage(part(".product")).find_axis("k")->extent;
    const std::int64_t bytes = columns * (tile_ + 2) * (tile_ + 2) * channels * y.outputs[0]->dtype.bytes();
    if (bytes > kThreadScratchBytes) return refuse("a band of '", y_, "' takes ", bytes, " bytes of a thread's scratch memory");
    b_.require({"scratch memory of a band", {{bytes, {y_ + ".band"}}}, 0, kThreadScratchBytes});
    return Done{};
  }

  Status bands() {
    const std::string tiles = part(".tiles"), rows = part(".tile_rows");
    TESSERA_TRY_DONE(b_.step(schedule::ComputeAt{part(".product"), y_, row_ + ".0"}));
    TESSERA_TRY_DONE(b_.step(schedule::ComputeAt{tiles, y_, row_ + ".0"}));
    const int lanes = lanes_for(b_.task(), b_.stage(tiles), b_.stage(tiles).find_axis("c")->extent);
    TESSERA_TRY_DONE(b_.step(schedule::Split{tiles, "c", {"c0", "c1"}, {lanes}, ir::Tail::kPartition}));
    TESSERA_TRY_DONE(b_.step(schedule::Reorder{tiles, {"t", "c0", "a", "b", "c1"}}));
    TESSERA_TRY_DONE(unrolled_vectors(tiles, "c1"));
    TESSERA_TRY_DONE(b_.step(schedule::ComputeAt{rows, tiles, "c0"}));
    TESSERA_TRY_DONE(b_.step(schedule::SetScope{rows, ir::Scope::kRegister}));
    TESSERA_TRY_DONE(unrolled_vectors(rows, "c"));
    return parallelize(b_, y_, outer_);
  }

  SketchBuilder b_;
  std::string y_, row_;
  std::vector<std::string> outer_;
  int tile_;
  int lanes_ = 1;
};

}  // namespace

Verdict winograd_meets(const SketchBuilder& b, const std::string& name) {
  const schedule::Stage& s = b.stage(name);
  const bool sum = s.is_reduction() && s.placement == schedule::Placement::kRoot && s.roots.size() >= 6;
  return sum ? Verdict::kApply : Verdict::kPass;
}

std::vector<SketchBuilder> winograd_expand(const SketchBuilder& b, const std::string& name) {
  std::vector<SketchBuilder> out;
  for (const int tile : {4, 2}) {
    auto made = Winograd(b, name, tile).run();
    if (made.ok()) out.push_back(std::move(*made));
  }
  return out;
}

}  // namespace tessera::search
