// Products and convolutions on tensor cores: tiles for blocks, warps and the fragments of a warp, operands in
// shared memory, several tiles ahead (the multi-stage product of Ampere: CUTLASS, Thakkar et al., 2023).
//
//   W: block (block.x: .b of the rows, the columns, .g of the rows)  warp  lane  .f (fragments)
//     acc (registers): k.0: A.s, B.s = ... (all threads, `slots` tiles ahead)
//                      warp  k.1  .f: acc += A.s * B.s by mma.sync, 16 x 8 x k a step
//     W = f(acc)
//
// A convolution is a product of patches that exist in shared memory alone (im2col), and a reduction that is no
// multiple of an instruction's is padded with zeros there.
#include <algorithm>

#include "ir/analysis/affine.h"
#include "ir/mma.h"
#include "ir/rewrite.h"
#include "schedule/geometry.h"
#include "search/rules/cuda/rules.h"
#include "search/rules/reduction_shape.h"

namespace tessera::search {

namespace {

using schedule::AxisKind;
using schedule::Param;
using schedule::RootAxis;
using schedule::Stage;

constexpr std::int64_t kMostSums = 128;  // a thread's, which leaves registers for two operands' fragments

/// The instruction for the product of two reads that a stage sums up, nullptr when there is none. That for factors of
/// f32, where the target allows it, takes them rounded.
const ir::Mma* product_of(const SketchBuilder& b, const Stage& s) {
  const bool single = s.is_reduction() && !s.is_scan() && s.outputs.size() == 1 && s.placement == schedule::Placement::kRoot && !b.done(s.name);
  const ir::Reduce* r = single ? s.reduce() : nullptr;
  if (r == nullptr || r->combiner->op != ir::ReduceOp::kSum || r->sources.size() != 1) return nullptr;
  const auto* product = r->sources[0].as<ir::Mul>();
  if (product == nullptr || reads_of(s).size() != 2) return nullptr;
  const ir::MmaFactor x = ir::mma_factor(product->a), y = ir::mma_factor(product->b);
  if (x.load == nullptr || y.load == nullptr || x.type != y.type) return nullptr;
  const bool rounds = x.type == ir::f32 && b.task().target.allow_tf32;
  const ir::Mma* mma = ir::mma_of(rounds ? ir::tf32 : x.type, r->sources[0].type());
  return mma != nullptr && arch_of(b.task()).capability >= mma->capability ? mma : nullptr;
}

/// Whether it is a matrix product, of one reduction axis, whose indices are plain axes: [.., i, k] x [.., k, j]. The
/// reduction may run along a part of an index, as that of a chunk does: chunk * 64 + k.
bool is_matrix_product(const Stage& s) {
  const ReductionShape shape = shape_of(s);
  if (shape.rows.size() != 1 || shape.reduce.size() != 1) return false;
  const auto is_row_or_column = [&](const ir::Expr& e) {
    return ir::uses_var(e, shape.rows[0].coordinate.id()) || ir::uses_var(e, shape.column.coordinate.id());
  };
  for (const ir::Load* l : reads_of(s)) {
    bool along = false;
    for (const ir::Expr& i : l->indices) {
      std::int64_t k = 0;
      ir::Expr rest;
      const bool linear = ir::split_linear(i, shape.reduce[0].coordinate.id(), k, rest);
      if (!linear || (k != 0 && (k != 1 || is_row_or_column(rest))) || (k == 0 && i.as<ir::VarNode>() == nullptr)) return false;
      along |= k == 1;
    }
    if (!along) return false;
  }
  return true;
}

/// How a stage takes the results of a reduction one by one: by position of the reduction's data axes, the axes of the
/// stage that make it up, outermost first.
struct Taken {
  std::string stage;
  std::vector<std::vector<std::string>> axes;
};

/// The axes whose row-major place `index` is; empty when it is anything else.
std::vector<std::string> flattened_axes(const Stage& w, const ir::Expr& index) {
  std::vector<std::pair<std::int64_t, const RootAxis*>> parts;
  ir::Expr rest = index;
  for (const RootAxis& r : w.roots) {
    std::int64_t k = 0;
    ir::Expr left;
    if (!ir::uses_var(rest, r.coordinate.id())) continue;
    if (!ir::split_linear(rest, r.coordinate.id(), k, left) || k <= 0) return {};
    parts.emplace_back(k, &r);
    rest = left;
  }
  if (parts.empty() || !ir::is_zero(rest)) return {};
  std::sort(parts.begin(), parts.end(), [](const auto& a, const auto& b) { return a.first > b.first || (a.first == b.first && a.second->extent < b.second->extent); });
  std::int64_t inside = 1;
  for (auto it = parts.rbegin(); it != parts.rend(); ++it) {
    if (it->first != inside) return {};
    inside *= it->second->extent;
  }
  std::vector<std::string> out;
  for (const auto& [k, r] : parts) out.push_back(r->axis);
  return out;
}

/// The elementwise stage that takes the results; its name is empty when there is none.
Taken taken_by(const SketchBuilder& b, const Stage& s) {
  const auto readers = b.state().consumers(s);
  if (s.is_output || readers.size() != 1) return {};
  const Stage& w = *readers[0];
  const bool plain = !w.is_reduction() && !w.is_scan() && !w.is_extern() && w.placement == schedule::Placement::kRoot && w.outputs.size() == 1 && !b.done(w.name);
  if (!plain) return {};
  Taken out;
  for (const ir::Load* l : reads_of(w)) {
    if (b.state().producer(l->buffer.get()) != &s) continue;
    std::vector<std::vector<std::string>> axes;
    std::size_t count = 0;
    for (std::size_t d = 0; d < l->indices.size(); ++d) {
      axes.push_back(flattened_axes(w, l->indices[d]));
      double all = 1;
      for (const std::string& a : axes.back()) all *= static_cast<double>(w.find_axis(a)->extent);
      if (axes.back().empty() || all != static_cast<double>(s.roots[d].extent)) return {};
      count += axes.back().size();
    }
    if (count != w.roots.size() || (!out.axes.empty() && out.axes != axes)) return {};
    out.axes = std::move(axes);
  }
  if (!out.axes.empty()) out.stage = w.name;
  return out;
}

class MmaTile {
 public:
  MmaTile(SketchBuilder& b, std::string stage) : b_(b), name_(std::move(stage)), mma_(*product_of(b, b.stage(name_))), shape_(shape_of(b.stage(name_))) {}

  Status run() {
    positions_ = b_.stage(name_).data_axes();
    Taken taken = taken_by(b_, b_.stage(name_));
    top_ = taken.stage;
    acc_ = name_;
    if (top_.empty()) {
      acc_ = name_ + ".acc";
      top_ = name_;
      TESSERA_TRY_DONE(b_.step(schedule::CacheWrite{name_, acc_}));
      for (const std::string& a : positions_) taken.axes.push_back({a});
    }
    TESSERA_TRY_DONE(one_axis_each(taken));
    declare();
    TESSERA_TRY_DONE(blocks());
    TESSERA_TRY_DONE(accumulate());
    TESSERA_TRY_DONE(operands());
    b_.finish(top_);
    b_.finish(acc_);
    return Done{};
  }

 private:
  const RootAxis& row() const { return shape_.rows[0]; }
  const RootAxis& column() const { return shape_.column; }
  const RootAxis& depth() const { return shape_.reduce[0]; }
  std::string hole(const RootAxis& r, const char* what) const { return name_ + "." + r.axis + "." + what; }
  std::size_t position(const RootAxis& r) const { return static_cast<std::size_t>(std::find(positions_.begin(), positions_.end(), r.axis) - positions_.begin()); }
  std::string top_axis(const RootAxis& r) const { return top_axes_[position(r)]; }
  std::string acc_axis(const RootAxis& r) const { return b_.stage(acc_).roots[position(r)].axis; }

  /// Axes of the top stage that are one axis of the reduction become one.
  Status one_axis_each(const Taken& taken) {
    std::vector<std::string> order;
    for (const auto& axes : taken.axes) order.insert(order.end(), axes.begin(), axes.end());
    if (order != b_.stage(top_).leaves) TESSERA_TRY_DONE(b_.step(schedule::Reorder{top_, order}));
    for (std::size_t d = 0; d < taken.axes.size(); ++d) {
      TESSERA_TRY(one, fused(b_, top_, taken.axes[d], "f" + std::to_string(d)));
      top_axes_.push_back(one);
    }
    return Done{};
  }

  void declare() {
    const std::vector<std::int64_t> warps{1, 2, 4}, rows{1, 2, 3, 4, 6, 8}, columns{1, 2, 3, 4, 5, 6, 7, 8};
    const std::int64_t m = row().extent, n = column().extent, steps = (depth().extent + mma_.k - 1) / mma_.k;
    const auto up_to = [](std::vector<std::int64_t> all, std::int64_t most) {
      std::erase_if(all, [&](std::int64_t x) { return x > std::max<std::int64_t>(1, most); });
      return all;
    };
    b_.hole(hole(row(), "warps"), up_to(warps, (m + mma_.m - 1) / mma_.m));
    b_.hole(hole(column(), "warps"), up_to(warps, (n + mma_.n - 1) / mma_.n));
    b_.hole(hole(row(), "fragments"), up_to(rows, (m + mma_.m - 1) / mma_.m));
    b_.hole(hole(column(), "fragments"), up_to(columns, (n + mma_.n - 1) / mma_.n));
    b_.hole(hole(depth(), "block"), up_to({1, 2, 4}, steps));
    b_.hole(name_ + ".slots", {1, 2, 3, 4});
    const auto pair = [&](const char* what) { return std::vector<std::string>{hole(row(), what), hole(column(), what)}; };
    b_.require({"warps of a block", {{1, pair("warps")}}, 1, 16});
    b_.require({"registers of a thread", {{ir::kMmaSums, pair("fragments")}}, 0, kMostSums});
    for (const RootAxis* r : {&row(), &column()}) {
      const std::int64_t size = r == &row() ? mma_.m : mma_.n;
      const std::int64_t group = r == &row() ? rows_of_a_group(m) : 1;
      b_.require({"tile of " + r->axis, {{group * size, {hole(*r, "warps"), hole(*r, "fragments")}}}, 0, (group > 1 ? 1 : 2) * std::max(r->extent, size)});
    }
  }

  Status blocks() {
    const std::string i = top_axis(row()), j = top_axis(column());
    const auto open = [&](const RootAxis& r, const char* what) { return Param::open(hole(r, what)); };
    TESSERA_TRY_DONE(b_.step(schedule::Split{top_, i, {i + ".b", i + ".g", i + ".w", i + ".f", i + ".half", i + ".row"},
                                             {rows_of_a_group(row().extent), open(row(), "warps"), open(row(), "fragments"), 2, mma_.m / 2}, ir::Tail::kPartition}));
    TESSERA_TRY_DONE(b_.step(schedule::Split{top_, j, {j + ".b", j + ".w", j + ".f", j + ".pair", j + ".one"},
                                             {open(column(), "warps"), open(column(), "fragments"), mma_.n / 2, 2}, ir::Tail::kPartition}));
    std::vector<std::string> grid;
    for (const RootAxis& r : shape_.others) grid.push_back(top_axis(r));
    grid.insert(grid.end(), {i + ".b", j + ".b", i + ".g"});
    std::vector<std::string> order = grid;
    order.insert(order.end(), {i + ".w", j + ".w", i + ".row", j + ".pair", i + ".f", i + ".half", j + ".f", j + ".one"});
    TESSERA_TRY_DONE(b_.step(schedule::Reorder{top_, order}));
    TESSERA_TRY(block, fused(b_, top_, grid, "block"));
    block_ = block;
    TESSERA_TRY_DONE(b_.step(schedule::Bind{top_, block_, ir::ForKind::kBlockX}));
    TESSERA_TRY_DONE(b_.step(schedule::Fuse{top_, {i + ".w", j + ".w"}, "warp"}));
    TESSERA_TRY_DONE(b_.step(schedule::Fuse{top_, {i + ".row", j + ".pair"}, "lane"}));
    TESSERA_TRY_DONE(b_.step(schedule::Bind{top_, "warp", ir::ForKind::kWarp}));
    TESSERA_TRY_DONE(b_.step(schedule::Bind{top_, "lane", ir::ForKind::kLane}));
    return b_.step(schedule::Vectorize{top_, j + ".one"});
  }

  Status accumulate() {
    const std::string i = acc_axis(row()), j = acc_axis(column()), k = depth().axis;
    TESSERA_TRY_DONE(b_.step(schedule::ComputeAt{acc_, top_, block_}));
    TESSERA_TRY_DONE(b_.step(schedule::PadBox{acc_}));
    const auto whole_tiles = [&](const RootAxis& r, const std::string& a, const char* last, std::int64_t size) {
      return b_.step(schedule::Split{acc_, a, {a + ".t", a + ".w", a + ".f", a + last}, {Param::open(hole(r, "warps")), Param::open(hole(r, "fragments")), size}, ir::Tail::kPad});
    };
    TESSERA_TRY_DONE(whole_tiles(row(), i, ".m", mma_.m));
    TESSERA_TRY_DONE(whole_tiles(column(), j, ".n", mma_.n));
    TESSERA_TRY_DONE(b_.step(schedule::Split{acc_, k, {k + ".s", k + ".m"}, {mma_.k}, ir::Tail::kPartition}));
    outer_ = k + ".0";
    TESSERA_TRY_DONE(b_.step(schedule::Split{acc_, k + ".s", {outer_, k + ".1"}, {Param::open(hole(depth(), "block"))}, ir::Tail::kPartition}));
    std::vector<std::string> order;
    for (const RootAxis& r : shape_.others) order.push_back(acc_axis(r));
    order.insert(order.end(), {i + ".t", j + ".t", outer_, i + ".w", j + ".w", k + ".1", i + ".f", j + ".f", i + ".m", j + ".n", k + ".m"});
    TESSERA_TRY_DONE(b_.step(schedule::Reorder{acc_, order}));
    TESSERA_TRY_DONE(b_.step(schedule::Fuse{acc_, {i + ".w", j + ".w"}, "warp"}));
    TESSERA_TRY_DONE(b_.step(schedule::Bind{acc_, "warp", ir::ForKind::kWarp}));
    for (const std::string& f : {i + ".f", j + ".f"}) TESSERA_TRY_DONE(b_.step(schedule::Unroll{acc_, f}));
    TESSERA_TRY_DONE(b_.step(schedule::Tensorize{acc_, {i + ".m", j + ".n", k + ".m"}, mma_.name}));
    return b_.step(schedule::SetScope{acc_, ir::Scope::kRegister});
  }

  Status operands() {
    Constraint shared{"shared memory", {}, 0, arch_of(b_.task()).shared_per_block - ir::kReservedSharedPerBlock};
    struct Operand {
      std::string tensor;
      bool along;  // the reduction runs along its rows
    };
    std::vector<Operand> tensors;
    const std::vector<RootAxis>& roots = b_.stage(acc_).roots;
    const auto summed = std::find_if(roots.begin(), roots.end(), [&](const RootAxis& r) { return r.axis == depth().axis; });
    for (const ir::Load* l : reads_of(b_.stage(acc_))) {
      const std::string p = b_.state().producer(l->buffer.get())->name;
      const bool rows = std::any_of(l->indices.begin(), l->indices.end(), [&](const ir::Expr& e) { return ir::uses_var(e, b_.stage(acc_).roots[position(row())].coordinate.id()); });
      if (std::any_of(tensors.begin(), tensors.end(), [&](const Operand& o) { return o.tensor == p; })) return refuse("both factors are '", p, "'");
      tensors.push_back({p, ir::uses_var(l->indices.back(), summed->coordinate.id())});
      const RootAxis& along = rows ? row() : column();
      const std::int64_t bytes = mma_.operand.bytes(), size = rows ? mma_.m : mma_.n;
      shared.terms.push_back({bytes * size * mma_.k, {name_ + ".slots", hole(along, "warps"), hole(along, "fragments"), hole(depth(), "block")}});
      if (!tensors.back().along) shared.terms.push_back({16 * mma_.k, {name_ + ".slots", hole(depth(), "block")}});
    }
    for (const auto& [tensor, along] : tensors) {
      TESSERA_TRY(tile, shared_tile(b_, tensor, acc_, outer_));
      TESSERA_TRY_DONE(rows_apart(tile, along));
      TESSERA_TRY_DONE(fetch_tile(b_, tile, acc_, Param::open(name_ + ".slots")));
    }
    b_.require(std::move(shared));
    return Done{};
  }

  /// Eight rows that ldmatrix reads at one column lie in different banks. Steps of the reduction are a power of two
  /// of chunks in every tile; of what lies across, tiles of three or six fragments are none, and 16 bytes are little
  /// beside its longer rows.
  Status rows_apart(const std::string& tile, bool along) {
    if (along) return b_.step(schedule::Swizzle{tile, mma_.chunk()});
    const std::vector<std::string> own = b_.stage(tile).data_axes();
    return own.size() < 2 ? Status(Done{}) : b_.step(schedule::StorageAlign{tile, own[own.size() - 2], 2 * mma_.chunk(), mma_.chunk()});
  }

  SketchBuilder& b_;
  std::string name_, top_, acc_, block_, outer_;
  const ir::Mma& mma_;
  ReductionShape shape_;
  std::vector<std::string> positions_;  // names of the reduction's data axes, by position
  std::vector<std::string> top_axes_;   // of the top stage, by the same
};

/// Whether its factors are f32 still, which no instruction multiplies.
bool is_unrounded(const Stage& s) { return ir::mma_factor(s.reduce()->sources[0].as<ir::Mul>()->a).type == ir::f32; }

bool is_multiplied(const SketchBuilder& b, const std::string& name) {
  const Stage& s = b.stage(name);
  const ir::Mma* mma = product_of(b, s);
  return mma != nullptr && !is_unrounded(s) && is_matrix_product(s) && shape_of(s).reduce[0].extent % mma->k == 0;
}

/// The product whose results an elementwise stage takes; empty when there is none.
std::string multiplied_producer(const SketchBuilder& b, const std::string& name) {
  return product_taken_by(b, name, [&](const std::string& p) { return is_multiplied(b, p); }, [&](const Stage& p) { return taken_by(b, p).stage; });
}

/// Whether the product is the program's own: no algorithm made it or changed it.
bool has_own_form(const SketchBuilder& b, const std::string& name) {
  const auto changes = [&](const schedule::Step& step) {
    const auto* use = std::get_if<schedule::UseAlgorithm>(&step);
    return use != nullptr && use->stage == name;
  };
  const auto& stages = b.task().dag.stages();
  const bool declared = std::any_of(stages.begin(), stages.end(), [&](const dsl::Stage& s) { return s.name == name; });
  return declared && std::none_of(b.steps().begin(), b.steps().end(), changes);
}

}  // namespace

Verdict cuda_mma_form_meets(const SketchBuilder& b, const std::string& name) {
  const ir::Mma* mma = product_of(b, b.stage(name));
  return mma != nullptr && !is_multiplied(b, name) ? Verdict::kApply : Verdict::kPass;
}

std::vector<SketchBuilder> cuda_mma_form_expand(const SketchBuilder& b, const std::string& name) {
  SketchBuilder next = b;
  std::string product = name;
  const ir::Mma& mma = *product_of(b, b.stage(name));
  if (is_unrounded(b.stage(name)) && !next.step(schedule::UseAlgorithm{name, "round_factors", {}}).ok()) return {};
  if (!is_matrix_product(b.stage(name))) {
    if (!next.step(schedule::UseAlgorithm{name, "im2col", {}}).ok()) return {};
    product = name + ".product";
  }
  if (!is_matrix_product(next.stage(product))) return {};
  if (shape_of(next.stage(product)).reduce[0].extent % mma.k != 0 &&
      !next.step(schedule::UseAlgorithm{product, "pad_reduction", {{"multiple", Param(mma.k)}}}).ok()) {
    return {};
  }
  return {std::move(next)};
}

Verdict cuda_mma_meets(const SketchBuilder& b, const std::string& name) {
  const std::string producer = multiplied_producer(b, name), product = is_multiplied(b, name) ? name : producer;
  if (product.empty()) return Verdict::kPass;
  // What was given another form for tensor cores is for them alone.
  return has_own_form(b, product) ? Verdict::kApply : Verdict::kApplyAndSkipRest;
}

std::vector<SketchBuilder> cuda_mma_expand(const SketchBuilder& b, const std::string& name) {
  const std::string producer = multiplied_producer(b, name), reduction = producer.empty() ? name : producer;
  SketchBuilder next = b;
  if (!MmaTile(next, reduction).run().ok()) return {};
  next.add_name(reduction + (producer.empty() ? ".mma" : ".mma.epilogue"));
  return {std::move(next)};
}

}  // namespace tessera::search
