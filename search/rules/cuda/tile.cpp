// Products and convolutions without tensor cores: tiles for blocks, warps, threads and registers, operands in
// shared memory, several tiles ahead (Ansor's SSSRRSRS with cache read, special compute location; virtual
// threads are the strided level .v).
//
//   W: block (block.x: .b of the rows, the columns, .g of the rows)  warp (thread.z)  ty tx (its lanes)  .v (strided parts)  .r (neighbours)
//     acc (registers): outer reduction, k.0: A.s, B.s = ... (all threads, `slots` tiles ahead)
//                      warp ty tx  k.1  .v  .r: acc += A.s * B.s
//     W = f(acc)
//
// The tile of a warp is whole: what its lanes read together of shared memory is as little as a square needs. Where
// there are too few results for 32 lanes there are threads and no warps.
//
// Blocks of several rows of tiles are done together, column by column (.g: the rasterisation of CUTLASS, the groups
// of Triton).
//
// An operand that is computed (a border, a scale) is computed into its shared tile.
#include <algorithm>
#include <bit>
#include <cstdlib>

#include "ir/analysis/affine.h"
#include "ir/rewrite.h"
#include "search/rules/cuda/rules.h"
#include "search/rules/reduction_shape.h"

namespace tessera::search {

namespace {

using schedule::Param;
using schedule::RootAxis;

constexpr std::int64_t kMostAccumulators = 128;  // registers of a thread for its sums
constexpr std::int64_t kMostOfBlock = 32768;     // of a block for all of them: half of an SM's
constexpr std::int64_t kMostThreads = 512;

struct TiledAxis {
  RootAxis axis;  // of the reduction
  bool column = false;
};

class SimtTile {
 public:
  SimtTile(SketchBuilder& b, std::string stage) : b_(b), name_(std::move(stage)), shape_(shape_of(b.stage(name_))) {
    for (const RootAxis& r : shape_.rows) tiled_.push_back({r, false});
    tiled_.push_back({shape_.column, true});
    double lanes = 1;
    for (const TiledAxis& t : tiled_) lanes *= static_cast<double>(std::bit_floor(static_cast<std::uint64_t>(t.axis.extent)));
    if (lanes >= ir::kWarp) levels_.insert(levels_.begin(), "w");
    k_ = shape_.reduce.back();
    for (const RootAxis& r : shape_.reduce) {
      if (r.extent > k_.extent) k_ = r;
    }
    along_window_ = is_of_window(k_);  // of the stage as it stands: later another one has its reads
  }

  Status run() {
    top_ = epilogue_of(b_, b_.stage(name_));
    acc_ = name_;
    positions_ = b_.stage(name_).data_axes();
    if (top_.empty()) {
      acc_ = name_ + ".acc";
      top_ = name_;
      TESSERA_TRY_DONE(b_.step(schedule::CacheWrite{name_, acc_}));
    }
    declare();
    TESSERA_TRY_DONE(blocks());
    TESSERA_TRY_DONE(accumulate());
    TESSERA_TRY_DONE(operands());
    b_.finish(top_);
    b_.finish(acc_);
    return Done{};
  }

 private:
  std::string hole(const RootAxis& r, const std::string& what) const { return name_ + "." + r.axis + "." + what; }
  std::vector<std::string> holes(const RootAxis& r) const {
    std::vector<std::string> out;
    for (const std::string& level : levels_) out.push_back(hole(r, level));
    return out;
  }
  bool has_warps() const { return levels_.front() == "w"; }
  /// Rows of blocks in a group: a product's, whose operands are both large.
  std::int64_t group() const { return has_warps() && shape_.rows.size() == 1 ? rows_of_a_group(shape_.rows[0].extent) : 1; }

  /// A position of the reduction's axes as an axis of `stage`.
  std::string axis_of(const std::string& stage, const RootAxis& r) const {
    const auto at = std::find(positions_.begin(), positions_.end(), r.axis) - positions_.begin();
    return b_.stage(stage).roots[static_cast<std::size_t>(at)].axis;
  }

  void declare() {
    const std::int64_t words = std::max(1, b_.stage(name_).outputs[0]->dtype.bytes() / 4);
    Monomial warps{1, {}}, threads{1, {}}, accumulators{words, {}}, block{words, {}};
    for (const TiledAxis& t : tiled_) {
      const std::int64_t n = t.axis.extent;
      if (has_warps()) {
        b_.hole(hole(t.axis, "w"), powers_up_to(std::min<std::int64_t>(8, n)));
        warps.holes.push_back(hole(t.axis, "w"));
      }
      b_.hole(hole(t.axis, "v"), powers_up_to(std::min<std::int64_t>(4, n)));
      b_.hole(hole(t.axis, "x"), powers_up_to(std::min<std::int64_t>(t.column ? 32 : 64, n)));
      b_.hole(hole(t.axis, "r"), powers_up_to(std::min<std::int64_t>(t.column ? 4 : 8, n)));
      b_.require({"tile of " + t.axis.axis, {{t.column ? 1 : group(), holes(t.axis)}}, 0, static_cast<std::int64_t>(std::bit_ceil(static_cast<std::uint64_t>(n)))});
      threads.holes.push_back(hole(t.axis, "x"));
      for (const char* h : {"v", "r"}) accumulators.holes.push_back(hole(t.axis, h));
      for (const std::string& h : holes(t.axis)) block.holes.push_back(h);
    }
    if (has_warps()) {
      b_.require({"lanes of a warp", {threads}, ir::kWarp, ir::kWarp});
      b_.require({"warps of a block", {warps}, 1, kMostThreads / ir::kWarp});
    } else {
      b_.require({"threads of a block", {threads}, 1, kMostThreads});
    }
    // Terms along a window share elements, which the compiler keeps in registers from one to the next.
    b_.require({"registers of a thread", {accumulators}, 0, along_window_ ? kMostAccumulators / 2 : kMostAccumulators});
    b_.require({"registers of a block", {block}, 0, kMostOfBlock});
    b_.hole(name_ + "." + k_.axis + ".block", powers_between(std::min<std::int64_t>(4, k_.extent), std::min<std::int64_t>(32, k_.extent)));
    const bool async = arch_of(b_.task()).capability >= 80 && k_.extent > 4;
    b_.hole(name_ + ".slots", async ? std::vector<std::int64_t>{1, 2, 3, 4} : std::vector<std::int64_t>{1});
  }

  /// Whether `r` moves along a tensor together with an axis of the results.
  bool is_of_window(const RootAxis& r) const {
    const schedule::Stage& s = b_.stage(name_);
    bool found = false;
    for (const ir::Load* read : reads_of(s)) {
      for (const ir::Expr& index : read->indices) {
        const auto uses = [&](const RootAxis& a) { return a.kind == schedule::AxisKind::kData && ir::uses_var(index, a.coordinate.id()); };
        found |= ir::uses_var(index, r.coordinate.id()) && std::any_of(s.roots.begin(), s.roots.end(), uses);
      }
    }
    return found;
  }

  /// The levels of an axis of a stage inside of loops `outer`: over blocks, or over the one tile of a block, which is
  /// whole even where fewer results are left, so that its warps are those of the block.
  Status cut(const std::string& stage, const TiledAxis& t, const std::vector<std::string>& outer, ir::Tail tail) {
    const std::string a = axis_of(stage, t.axis);
    std::vector<std::string> into;
    for (const std::string& o : outer) into.push_back(a + o);
    std::vector<Param> factors;
    if (outer.size() > 1) factors.push_back(group());
    for (const std::string& level : levels_) {
      into.push_back(a + "." + level);
      factors.push_back(Param::open(hole(t.axis, level)));
    }
    return b_.step(schedule::Split{stage, a, into, factors, tail});
  }

  /// Binds the loops over threads: warps on thread.z, in them rows together on thread.y, the column on thread.x.
  Status bind(const std::string& stage) {
    if (has_warps()) {
      TESSERA_TRY(z, fused(b_, stage, loops(stage, ".w"), "warp"));
      TESSERA_TRY_DONE(b_.step(schedule::Bind{stage, z, ir::ForKind::kThreadZ}));
    }
    std::vector<std::string> rows;
    for (const TiledAxis& t : tiled_) {
      if (!t.column) rows.push_back(axis_of(stage, t.axis) + ".x");
    }
    TESSERA_TRY(y, fused(b_, stage, rows, "ty"));
    TESSERA_TRY_DONE(b_.step(schedule::Bind{stage, y, ir::ForKind::kThreadY}));
    return b_.step(schedule::Bind{stage, axis_of(stage, shape_.column) + ".x", ir::ForKind::kThreadX});
  }

  std::vector<std::string> loops(const std::string& stage, const char* level) const {
    std::vector<std::string> out;
    if (std::find(levels_.begin(), levels_.end(), level + 1) == levels_.end()) return out;
    for (const TiledAxis& t : tiled_) out.push_back(axis_of(stage, t.axis) + level);
    return out;
  }

  Status blocks() {
    std::vector<std::string> grid, order;
    for (const RootAxis& r : shape_.others) grid.push_back(axis_of(top_, r));
    for (const TiledAxis& t : tiled_) {
      const bool grouped = group() > 1 && !t.column;
      TESSERA_TRY_DONE(cut(top_, t, grouped ? std::vector<std::string>{".b", ".g"} : std::vector<std::string>{".b"}, ir::Tail::kPartition));
      grid.push_back(axis_of(top_, t.axis) + ".b");
    }
    if (group() > 1) grid.push_back(axis_of(top_, shape_.rows[0]) + ".g");
    order = grid;
    for (const char* level : {".w", ".x", ".v", ".r"}) {
      for (const std::string& l : loops(top_, level)) order.push_back(l);
    }
    TESSERA_TRY_DONE(b_.step(schedule::Reorder{top_, order}));
    TESSERA_TRY(block, fused(b_, top_, grid, "block"));
    block_ = block;
    TESSERA_TRY_DONE(b_.step(schedule::Bind{top_, block_, ir::ForKind::kBlockX}));
    TESSERA_TRY_DONE(bind(top_));
    return b_.step(schedule::Vectorize{top_, axis_of(top_, shape_.column) + ".r"});
  }

  Status accumulate() {
    TESSERA_TRY_DONE(b_.step(schedule::ComputeAt{acc_, top_, block_}));
    TESSERA_TRY_DONE(b_.step(schedule::PadBox{acc_}));
    for (const TiledAxis& t : tiled_) TESSERA_TRY_DONE(cut(acc_, t, {".t"}, ir::Tail::kPad));
    const std::string k = k_.axis;
    TESSERA_TRY_DONE(b_.step(schedule::Split{acc_, k, {k + ".0", k + ".1"}, {Param::open(name_ + "." + k + ".block")}, ir::Tail::kPartition}));
    std::vector<std::string> order;
    for (const RootAxis& r : shape_.others) order.push_back(axis_of(acc_, r));
    for (const RootAxis& r : shape_.reduce) {
      if (r.axis != k) order.push_back(r.axis);
    }
    for (const TiledAxis& t : tiled_) order.push_back(axis_of(acc_, t.axis) + ".t");
    outer_ = k + ".0";
    order.push_back(outer_);
    for (const char* level : {".w", ".x"}) {
      for (const std::string& l : loops(acc_, level)) order.push_back(l);
    }
    order.push_back(k + ".1");
    for (const char* level : {".v", ".r"}) {
      for (const std::string& l : loops(acc_, level)) order.push_back(l);
    }
    TESSERA_TRY_DONE(b_.step(schedule::Reorder{acc_, order}));
    TESSERA_TRY_DONE(bind(acc_));
    return b_.step(schedule::SetScope{acc_, ir::Scope::kRegister});
  }

  Status operands() {
    std::vector<std::string> tensors;
    for (const ir::Load* l : reads_of(b_.stage(acc_))) {
      const std::string p = b_.state().producer(l->buffer.get())->name;
      if (std::find(tensors.begin(), tensors.end(), p) == tensors.end()) tensors.push_back(p);
    }
    Constraint shared{"shared memory", {}, 0, arch_of(b_.task()).shared_per_block - ir::kReservedSharedPerBlock};
    for (const std::string& p : tensors) {
      shared.terms.push_back(bytes_of(p));
      TESSERA_TRY(tile, shared_tile(b_, p, acc_, outer_, [&](const std::string& t) { return moves_with_column(t) ? vectors_of(t) : Status(Done{}); }));
      TESSERA_TRY_DONE(fetch_tile(b_, tile, acc_, Param::open(name_ + ".slots")));
    }
    b_.require(std::move(shared));
    return Done{};
  }

  /// The most that the tile of an operand takes: the product of what its indices range over.
  Monomial bytes_of(const std::string& p) const {
    const schedule::Stage& acc = b_.stage(acc_);
    Monomial out{b_.stage(p).outputs[0]->dtype.bytes(), {name_ + ".slots"}};
    const ir::Load* read = nullptr;
    for (const ir::Load* l : reads_of(acc)) {
      if (b_.state().producer(l->buffer.get())->name == p) read = l;
    }
    for (const RootAxis& r : acc.roots) {
      std::int64_t coefficient = 0;
      for (const ir::Expr& i : read->indices) {
        std::int64_t k = 0;
        ir::Expr rest;
        if (ir::uses_var(i, r.coordinate.id())) coefficient = std::max<std::int64_t>(coefficient, ir::split_linear(i, r.coordinate.id(), k, rest) ? std::abs(k) : 1);
      }
      if (coefficient == 0) continue;
      const TiledAxis* tiled = nullptr;
      for (const TiledAxis& t : tiled_) {
        if (axis_of(acc_, t.axis) == r.axis) tiled = &t;
      }
      if (tiled != nullptr) {
        out.weight *= coefficient;
        for (const std::string& h : holes(tiled->axis)) out.holes.push_back(h);
      } else if (r.axis == k_.axis) {
        out.weight *= coefficient;
        out.holes.push_back(name_ + "." + k_.axis + ".block");
      }
    }
    return out;
  }

  /// Whether neighbours of the column are neighbours in the tile.
  bool moves_with_column(const std::string& tile) const {
    const ir::VarId column = b_.stage(acc_).roots[b_.stage(acc_).data_axes().size() - 1].coordinate.id();
    bool moves = false;
    for (const ir::Load* l : reads_of(b_.stage(acc_))) {
      if (b_.state().producer(l->buffer.get())->name != tile) continue;
      const auto* v = l->indices.back().as<ir::VarNode>();
      moves |= v != nullptr && v->id == column;
    }
    return moves;
  }

  /// Whether every row of the results reads rows of its own of the tile: nothing read is read again.
  bool moves_with_rows(const std::string& tile) const {
    bool moves = false;
    for (const ir::Load* l : reads_of(b_.stage(acc_))) {
      if (b_.state().producer(l->buffer.get())->name != tile) continue;
      for (const TiledAxis& t : tiled_) {
        const auto at = std::find(positions_.begin(), positions_.end(), t.axis.axis) - positions_.begin();
        const ir::VarId row = b_.stage(acc_).roots[static_cast<std::size_t>(at)].coordinate.id();
        for (const ir::Expr& i : l->indices) moves |= !t.column && ir::uses_var(i, row);
      }
    }
    return moves;
  }

  /// The elements that a thread's neighbouring columns read, in one vector: into registers, for all rows where they
  /// share it, else for a row at a time.
  Status vectors_of(const std::string& tile) {
    const std::string part = tile + ".r";
    const std::string place = moves_with_rows(tile) && tiled_.size() > 1 ? axis_of(acc_, tiled_[tiled_.size() - 2].axis) + ".r" : axis_of(acc_, shape_.column) + ".v";
    TESSERA_TRY_DONE(b_.step(schedule::CacheRead{tile, {acc_}, part, ir::Scope::kGlobal}));
    TESSERA_TRY_DONE(b_.step(schedule::ComputeAt{part, acc_, place}));
    TESSERA_TRY_DONE(b_.step(schedule::PadBox{part}));
    TESSERA_TRY_DONE(b_.step(schedule::SetScope{part, ir::Scope::kRegister}));
    TESSERA_TRY_DONE(b_.step(schedule::Vectorize{part, b_.stage(part).data_axes().back()}));
    b_.finish(part);
    return Done{};
  }

  SketchBuilder& b_;
  std::string name_, top_, acc_, block_, outer_;
  ReductionShape shape_;
  RootAxis k_;
  bool along_window_ = false;
  std::vector<TiledAxis> tiled_;
  std::vector<std::string> levels_{"v", "x", "r"};  // of a tiled axis inside of a block, outermost first
  std::vector<std::string> positions_;  // names of the reduction's data axes, by position
};

bool is_tiled(const SketchBuilder& b, const std::string& name) {
  const schedule::Stage& s = b.stage(name);
  const bool single = s.is_reduction() && !s.is_scan() && s.outputs.size() == 1 && s.placement == schedule::Placement::kRoot && !s.data_axes().empty();
  return single && !b.done(name) && !shape_of(s).rows.empty() && shape_of(s).column.extent > 1;
}

/// The tiled reduction whose results an elementwise stage takes one by one; empty when there is none.
std::string tiled_producer(const SketchBuilder& b, const std::string& name) {
  return product_taken_by(b, name, [&](const std::string& p) { return is_tiled(b, p); }, [&](const schedule::Stage& p) { return epilogue_of(b, p); });
}

}  // namespace

Verdict cuda_tile_meets(const SketchBuilder& b, const std::string& name) {
  if (!tiled_producer(b, name).empty()) return Verdict::kApplyAndSkipRest;
  return is_tiled(b, name) ? Verdict::kApply : Verdict::kPass;
}

std::vector<SketchBuilder> cuda_tile_expand(const SketchBuilder& b, const std::string& name) {
  const std::string producer = tiled_producer(b, name), reduction = producer.empty() ? name : producer;
  SketchBuilder next = b;
  if (!SimtTile(next, reduction).run().ok()) return {};
  next.add_name(reduction + (producer.empty() ? ".tile" : ".tile.epilogue"));
  return {std::move(next)};
}

}  // namespace tessera::search
