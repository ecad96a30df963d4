// Products and convolutions without tensor cores: tiles for blocks, threads and registers, operands in
// shared memory, several tiles ahead (Ansor's SSSRRSRS with cache read, special compute location; virtual
// threads are the strided level .v).
//
//   W: block (block.x)  ty tx (threads)  .v (strided parts)  .r (neighbours)
//     acc (registers): outer reduction, k.0: A.s, B.s = ... (all threads, `slots` tiles ahead)
//                      ty tx  k.1  .v  .r: acc += A.s * B.s
//     W = f(acc)
//
// An operand that is computed (a border, a scale) is computed into its shared tile.
#include <algorithm>
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

struct TiledAxis {
  RootAxis axis;  // of the reduction
  bool column = false;
};

class SimtTile {
 public:
  SimtTile(SketchBuilder& b, std::string stage) : b_(b), name_(std::move(stage)), shape_(shape_of(b.stage(name_))) {
    for (const RootAxis& r : shape_.rows) tiled_.push_back({r, false});
    tiled_.push_back({shape_.column, true});
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
  std::string hole(const RootAxis& r, const char* what) const { return name_ + "." + r.axis + "." + what; }

  /// A position of the reduction's axes as an axis of `stage`.
  std::string axis_of(const std::string& stage, const RootAxis& r) const {
    const auto at = std::find(positions_.begin(), positions_.end(), r.axis) - positions_.begin();
    return b_.stage(stage).roots[static_cast<std::size_t>(at)].axis;
  }

  void declare() {
    const std::int64_t words = std::max(1, b_.stage(name_).outputs[0]->dtype.bytes() / 4);
    Monomial threads{1, {}}, accumulators{words, {}}, block{words, {}};
    for (const TiledAxis& t : tiled_) {
      const std::int64_t n = t.axis.extent;
      b_.hole(hole(t.axis, "v"), powers_up_to(std::min<std::int64_t>(4, n)));
      b_.hole(hole(t.axis, "x"), powers_up_to(std::min<std::int64_t>(t.column ? 32 : 64, n)));
      b_.hole(hole(t.axis, "r"), powers_up_to(std::min<std::int64_t>(t.column ? 4 : 8, n)));
      b_.require({"tile of " + t.axis.axis, {{1, {hole(t.axis, "v"), hole(t.axis, "x"), hole(t.axis, "r")}}}, 0, std::max<std::int64_t>(2 * n, 1)});
      threads.holes.push_back(hole(t.axis, "x"));
      for (const char* h : {"v", "r"}) accumulators.holes.push_back(hole(t.axis, h));
      for (const char* h : {"v", "x", "r"}) block.holes.push_back(hole(t.axis, h));
    }
    double results = 1;
    for (const TiledAxis& t : tiled_) results *= static_cast<double>(t.axis.extent);
    b_.require({"threads of a block", {threads}, static_cast<std::int64_t>(std::min(32.0, results)), 512});
    b_.require({"registers of a thread", {accumulators}, 0, kMostAccumulators});
    b_.require({"registers of a block", {block}, 0, kMostOfBlock});
    k_ = shape_.reduce.back();
    for (const RootAxis& r : shape_.reduce) {
      if (r.extent > k_.extent) k_ = r;
    }
    b_.hole(name_ + "." + k_.axis + ".block", powers_between(std::min<std::int64_t>(4, k_.extent), std::min<std::int64_t>(32, k_.extent)));
    const bool async = arch_of(b_.task()).capability >= 80 && k_.extent > 4;
    b_.hole(name_ + ".slots", async ? std::vector<std::int64_t>{1, 2, 3, 4} : std::vector<std::int64_t>{1});
  }

  /// v, x, r of an axis of a stage whose first loop is `outer` (empty: none).
  Status cut(const std::string& stage, const TiledAxis& t, bool outer) {
    const std::string a = axis_of(stage, t.axis);
    std::vector<std::string> into{a + ".v", a + ".x", a + ".r"};
    std::vector<Param> factors{Param::open(hole(t.axis, "x")), Param::open(hole(t.axis, "r"))};
    if (outer) {
      into.insert(into.begin(), a + ".b");
      factors.insert(factors.begin(), Param::open(hole(t.axis, "v")));
    }
    return b_.step(schedule::Split{stage, a, into, factors, ir::Tail::kPartition});
  }

  /// Binds the loops over threads: rows together on thread.y, the column on thread.x.
  Status bind(const std::string& stage) {
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
    for (const TiledAxis& t : tiled_) out.push_back(axis_of(stage, t.axis) + level);
    return out;
  }

  Status blocks() {
    std::vector<std::string> grid, order;
    for (const RootAxis& r : shape_.others) grid.push_back(axis_of(top_, r));
    for (const TiledAxis& t : tiled_) {
      TESSERA_TRY_DONE(cut(top_, t, true));
      grid.push_back(axis_of(top_, t.axis) + ".b");
    }
    order = grid;
    for (const char* level : {".x", ".v", ".r"}) {
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
    for (const TiledAxis& t : tiled_) TESSERA_TRY_DONE(cut(acc_, t, false));
    const std::string k = k_.axis;
    TESSERA_TRY_DONE(b_.step(schedule::Split{acc_, k, {k + ".0", k + ".1"}, {Param::open(name_ + "." + k + ".block")}, ir::Tail::kPartition}));
    std::vector<std::string> order;
    for (const RootAxis& r : shape_.others) order.push_back(axis_of(acc_, r));
    for (const RootAxis& r : shape_.reduce) {
      if (r.axis != k) order.push_back(r.axis);
    }
    outer_ = k + ".0";
    order.push_back(outer_);
    for (const std::string& l : loops(acc_, ".x")) order.push_back(l);
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
        for (const char* h : {"v", "x", "r"}) out.holes.push_back(hole(tiled->axis, h));
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

  /// The elements that a thread's neighbouring columns read, in one vector: into registers.
  Status vectors_of(const std::string& tile) {
    const std::string part = tile + ".r";
    TESSERA_TRY_DONE(b_.step(schedule::CacheRead{tile, {acc_}, part, ir::Scope::kGlobal}));
    TESSERA_TRY_DONE(b_.step(schedule::ComputeAt{part, acc_, axis_of(acc_, shape_.column) + ".v"}));
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
  std::vector<TiledAxis> tiled_;
  std::vector<std::string> positions_;  // names of the reduction's data axes, by position
};

}  // namespace

namespace {

bool is_tiled(const SketchBuilder& b, const std::string& name) {
  const schedule::Stage& s = b.stage(name);
  const bool single = s.is_reduction() && !s.is_scan() && s.outputs.size() == 1 && s.placement == schedule::Placement::kRoot && !s.data_axes().empty();
  return single && !b.done(name) && !shape_of(s).rows.empty() && shape_of(s).column.extent > 1;
}

/// The tiled reduction whose results an elementwise stage takes one by one; empty when there is none.
std::string tiled_producer(const SketchBuilder& b, const std::string& name) {
  if (b.stage(name).is_reduction()) return "";
  for (const ir::Load* l : reads_of(b.stage(name))) {
    const schedule::Stage* p = b.state().producer(l->buffer.get());
    if (!p->is_input() && is_tiled(b, p->name) && epilogue_of(b, *p) == name) return p->name;
  }
  return "";
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
