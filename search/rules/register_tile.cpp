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
#include <algorithm>

#include "ir/analysis/affine.h"
#include "ir/rewrite.h"
#include "search/rules/rules.h"

namespace tessera::search {

namespace {

using schedule::AxisKind;
using schedule::Param;
using schedule::RootAxis;
using schedule::Stage;

struct Shape {
  RootAxis column;                 // the data axis that becomes vectors
  std::vector<RootAxis> rows;      // at most two data axes over which the vector operand is reused
  std::vector<RootAxis> others;    // remaining data axes
  std::vector<RootAxis> reduce;    // outermost first
  const ir::Load* panel = nullptr;  // the read that moves along the column axis and can be packed
  int panel_dim = -1;               // its dimension that is exactly the column coordinate
};

bool depends(const ir::Load& l, const ir::Var& v) {
  for (const ir::Expr& i : l.indices) {
    if (ir::uses_var(i, v.id())) return true;
  }
  return false;
}

Shape shape_of(const Stage& s) {
  Shape out;
  const std::vector<const ir::Load*> reads = reads_of(s);
  std::vector<RootAxis> data;
  for (const RootAxis& r : s.roots) (r.kind == AxisKind::kData ? data : out.reduce).push_back(r);
  out.column = data.back();
  std::vector<const ir::Load*> vectors;
  for (const ir::Load* l : reads) {
    if (depends(*l, out.column.coordinate)) vectors.push_back(l);
  }
  for (const RootAxis& r : data) {
    if (r.axis == out.column.axis) continue;
    const bool reused = std::any_of(vectors.begin(), vectors.end(), [&](const ir::Load* l) { return !depends(*l, r.coordinate); });
    (reused && r.extent > 1 ? out.rows : out.others).push_back(r);
  }
  while (out.rows.size() > 2) {  // tile the innermost two
    out.others.push_back(out.rows.front());
    out.rows.erase(out.rows.begin());
  }
  // Read the vector operand in the order in which it lies: largest stride outermost.
  const ir::Load* lead = vectors.empty() ? (reads.empty() ? nullptr : reads[0]) : vectors.back();
  if (lead != nullptr) {
    std::stable_sort(out.reduce.begin(), out.reduce.end(), [&](const RootAxis& a, const RootAxis& b) {
      return stride_of(*lead, a.coordinate).value_or(0) > stride_of(*lead, b.coordinate).value_or(0);
    });
  }
  for (const ir::Load* l : vectors) {
    const bool reused = out.rows.empty() || !depends(*l, out.rows.back().coordinate);
    for (std::size_t d = 0; d < l->indices.size() && reused; ++d) {
      const auto* v = l->indices[d].as<ir::VarNode>();
      if (v == nullptr || v->id != out.column.coordinate.id()) continue;
      out.panel = l;
      out.panel_dim = static_cast<int>(d);
    }
  }
  return out;
}

/// The elementwise stage into which the reduction's results go, index by index; empty when none.
std::string epilogue_of(const SketchBuilder& b, const Stage& s) {
  const auto readers = b.state().consumers(s);
  if (s.is_output || readers.size() != 1) return "";
  const Stage& w = *readers[0];
  if (w.is_reduction() || w.placement != schedule::Placement::kRoot || w.outputs.size() != 1 || b.done(w.name)) return "";
  std::vector<const RootAxis*> own;
  for (const RootAxis& r : w.roots) own.push_back(&r);
  for (const ir::Load* l : reads_of(w)) {
    if (b.state().producer(l->buffer.get()) != &s) continue;
    if (l->indices.size() != own.size()) return "";
    for (std::size_t d = 0; d < own.size(); ++d) {
      const auto* v = l->indices[d].as<ir::VarNode>();
      if (v == nullptr || v->id != own[d]->coordinate.id() || own[d]->extent != s.roots[d].extent) return "";
    }
  }
  return w.name;
}

struct Variant {
  bool pack = false;
  bool columns_outer = false;  // order of the cache loops
};

class Tiler {
 public:
  Tiler(SketchBuilder b, std::string stage, Variant v) : b_(std::move(b)), s_(std::move(stage)), v_(v) {}

  Result<SketchBuilder> run() {
    shape_ = shape_of(b_.stage(s_));
    if (v_.pack) TESSERA_TRY_DONE(pack());
    w_ = epilogue_of(b_, b_.stage(s_));
    const bool fused = !w_.empty();
    if (!fused) {
      w_ = s_;
      s_ = s_ + ".acc";
      TESSERA_TRY_DONE(b_.step(schedule::CacheWrite{w_, s_, ir::Scope::kGlobal}));
    }
    prefix_ = s_ + ".";
    TESSERA_TRY_DONE(tile_writer());
    TESSERA_TRY_DONE(tile_reduction());
    b_.finish(w_);
    b_.finish(s_);
    b_.add_name(std::string("register_tile") + (fused ? ".epilogue" : "") + (v_.pack ? ".pack" : "") +
                (v_.columns_outer ? ".columns_outer" : ""));
    return b_;
  }

 private:
  /// Names of the writer's axes by position: the stages agree index by index.
  std::string writer_axis(const RootAxis& r) const {
    const Stage& s = b_.stage(s_);
    for (std::size_t d = 0; d < s.roots.size(); ++d) {
      if (s.roots[d].axis == r.axis) return b_.stage(w_).roots[d].axis;
    }
    TESSERA_UNREACHABLE();
  }

  Status tile_writer() {
    const Stage& s = b_.stage(s_);
    lanes_ = lanes_for(b_.task(), s, shape_.column.extent);
    const int registers = b_.task().target.vector_registers;
    const std::int64_t columns_most = std::min<std::int64_t>(8 * lanes_, (shape_.column.extent + lanes_ - 1) / lanes_ * lanes_);
    std::vector<std::int64_t> widths;
    for (std::int64_t n = lanes_; n <= columns_most; n += lanes_) widths.push_back(n);
    const Param width = b_.hole(prefix_ + "width", widths);
    // Rows: the accumulators of a tile are the product of its row counts and its columns.
    Monomial accumulators{1, {prefix_ + "width"}};
    std::vector<std::string> outer, middle, tile;
    for (const RootAxis& r : shape_.others) outer.push_back(writer_axis(r));
    std::int64_t rows_most = 1;
    for (const RootAxis& r : shape_.rows) {
      const std::string a = writer_axis(r);
      std::vector<std::int64_t> counts;
      for (std::int64_t n = 1; n <= std::min<std::int64_t>(r.extent, 14); ++n) counts.push_back(n);
      rows_most *= counts.back();
      const Param count = b_.hole(prefix_ + a + ".rows", counts);
      const Param mid = b_.hole(prefix_ + a + ".mid", powers_up_to(std::min<std::int64_t>(64, r.extent)));
      // One cache block holds at most the whole axis.
      b_.require({"cache block of " + a, {{1, {prefix_ + a + ".rows", prefix_ + a + ".mid"}}}, 0, std::max<std::int64_t>(2 * r.extent, 1)});
      accumulators.holes.push_back(prefix_ + a + ".rows");
      TESSERA_TRY_DONE(b_.step(schedule::Split{w_, a, {a + ".0", a + ".1", a + ".2"}, {mid, count}, ir::Tail::kPartition}));
      outer.push_back(a + ".0");
      middle.push_back(a + ".1");
      tile.push_back(a + ".2");
    }
    const std::string c = writer_axis(shape_.column);
    const std::int64_t blocks = (shape_.column.extent + lanes_ - 1) / lanes_;
    const Param mid = b_.hole(prefix_ + c + ".mid", powers_up_to(std::min<std::int64_t>(64, blocks)));
    b_.require({"cache block of " + c, {{1, {prefix_ + "width", prefix_ + c + ".mid"}}}, 0, std::max<std::int64_t>(2 * blocks * lanes_, 1)});
    b_.require({"register file", {accumulators, {1, {prefix_ + "width"}}}, 0, static_cast<std::int64_t>(registers - 1) * lanes_});
    // Fewer chains than the multiply-add unit has in flight would leave it idle.
    const std::int64_t most = std::min<std::int64_t>((registers - 2) / 2 * lanes_, rows_most * columns_most);
    b_.require({"independent accumulators", {accumulators}, std::min<std::int64_t>(8 * lanes_, most), INT64_MAX});
    TESSERA_TRY_DONE(b_.step(schedule::Split{w_, c, {c + ".0", c + ".1", c + ".t"}, {mid, width}, ir::Tail::kPartition}));
    TESSERA_TRY_DONE(b_.step(schedule::Split{w_, c + ".t", {c + ".2", c + ".3"}, {lanes_}, ir::Tail::kPartition}));
    if (v_.columns_outer) {
      outer.insert(outer.begin() + static_cast<std::ptrdiff_t>(shape_.others.size()), c + ".0");
      middle.insert(middle.begin(), c + ".1");
    } else {
      outer.push_back(c + ".0");
      middle.push_back(c + ".1");
    }
    at_ = middle.back();
    std::vector<std::string> order = outer;
    order.insert(order.end(), middle.begin(), middle.end());
    order.insert(order.end(), tile.begin(), tile.end());
    order.push_back(c + ".2");
    order.push_back(c + ".3");
    TESSERA_TRY_DONE(b_.step(schedule::Reorder{w_, order}));
    TESSERA_TRY_DONE(parallelize(b_, w_, outer));
    for (const std::string& t : tile) TESSERA_TRY_DONE(b_.step(schedule::Unroll{w_, t}));
    TESSERA_TRY_DONE(b_.step(schedule::Unroll{w_, c + ".2"}));
    return b_.step(schedule::Vectorize{w_, c + ".3"});
  }

  Status tile_reduction() {
    TESSERA_TRY_DONE(b_.step(schedule::ComputeAt{s_, w_, at_}));
    TESSERA_TRY_DONE(b_.step(schedule::SetScope{s_, ir::Scope::kRegister}));
    const std::string c = shape_.column.axis;
    TESSERA_TRY_DONE(b_.step(schedule::Split{s_, c, {c + ".1", c + ".2"}, {lanes_}, ir::Tail::kPartition}));
    std::vector<std::string> order;
    for (const RootAxis& r : shape_.others) order.push_back(r.axis);
    for (const RootAxis& r : shape_.reduce) order.push_back(r.axis);
    for (const RootAxis& r : shape_.rows) order.push_back(r.axis);
    order.push_back(c + ".1");
    order.push_back(c + ".2");
    TESSERA_TRY_DONE(b_.step(schedule::Reorder{s_, order}));
    const RootAxis& inner = shape_.reduce.back();
    if (inner.extent > 1) {
      const Param unroll = b_.hole(prefix_ + "unroll", powers_up_to(std::min<std::int64_t>(4, inner.extent)));
      TESSERA_TRY_DONE(b_.step(schedule::Annotate{s_, inner.axis, "unroll", unroll}));
    }
    for (const RootAxis& r : shape_.rows) TESSERA_TRY_DONE(b_.step(schedule::Unroll{s_, r.axis}));
    TESSERA_TRY_DONE(b_.step(schedule::Unroll{s_, c + ".1"}));
    return b_.step(schedule::Vectorize{s_, c + ".2"});
  }

  /// Panels of the width of the tile, each with the reduction outermost: what the inner loop reads
  /// lies in one run of memory.
  Status pack() {
    if (shape_.panel == nullptr) return refuse("no operand moves along the columns alone");
    const Stage* source = b_.state().producer(shape_.panel->buffer.get());
    const std::string into = source->name + ".pack";
    const std::vector<std::string> axes = source->data_axes();
    const std::string column = axes[static_cast<std::size_t>(shape_.panel_dim)];
    const std::string width = (epilogue_of(b_, b_.stage(s_)).empty() ? s_ + ".acc" : s_) + ".width";
    std::vector<schedule::LayoutPiece> order{{column, 0}};
    for (const std::string& a : axes) {
      if (a != column) order.push_back({a, 0});
    }
    order.push_back({column, Param::open(width)});
    const int lanes = lanes_for(b_.task(), b_.stage(s_), shape_.column.extent);
    b_.preset(width, lanes);
    const bool constant = source->kind == dsl::OperationKind::kConstant;
    TESSERA_TRY_DONE(b_.step(schedule::Pack{source->name, {s_}, into, order}));
    TESSERA_TRY_DONE(b_.step(schedule::Split{into, column, {column + ".0", column + ".1"}, {lanes}, ir::Tail::kPartition}));
    std::vector<std::string> loops{column + ".0"};
    for (const std::string& a : axes) {
      if (a != column) loops.push_back(a);
    }
    loops.push_back(column + ".1");
    TESSERA_TRY_DONE(b_.step(schedule::Reorder{into, loops}));
    TESSERA_TRY_DONE(b_.step(schedule::Vectorize{into, column + ".1"}));
    if (!constant) TESSERA_TRY_DONE(parallelize(b_, into, {column + ".0"}));
    b_.finish(into);
    shape_ = shape_of(b_.stage(s_));
    return Done{};
  }

  SketchBuilder b_;
  std::string s_, w_, at_, prefix_;
  Variant v_;
  Shape shape_;
  int lanes_ = 1;
};

/// Vector reads of the reduction itself are contiguous, or constant along the columns.
bool reads_in_vectors(const Stage& s) {
  const Shape shape = shape_of(s);
  for (const ir::Load* l : reads_of(s)) {
    const auto stride = stride_of(*l, shape.column.coordinate);
    if (!stride || (*stride != 0 && *stride != 1)) return false;
  }
  return true;
}

}  // namespace

bool register_tile_applies(const SketchBuilder& b, const std::string& name) {
  const Stage& s = b.stage(name);
  if (!s.is_reduction() || s.placement != schedule::Placement::kRoot || s.outputs.size() != 1 || s.data_axes().empty()) return false;
  const Shape shape = shape_of(s);
  if (shape.column.extent < 2) return false;
  if (reads_in_vectors(s)) return true;
  return shape.panel != nullptr && !shape.rows.empty();  // a panel makes the reads contiguous
}

bool has_row_reuse(const SketchBuilder& b, const std::string& name) {
  return register_tile_applies(b, name) && !shape_of(b.stage(name)).rows.empty();
}

std::vector<SketchBuilder> register_tile_expand(const SketchBuilder& b, const std::string& name) {
  const bool plain = reads_in_vectors(b.stage(name));
  const bool panel = shape_of(b.stage(name)).panel != nullptr;
  const bool rows = !shape_of(b.stage(name)).rows.empty();
  std::vector<SketchBuilder> out;
  for (const bool pack : {false, true}) {
    for (const bool columns_outer : {false, true}) {
      if ((!pack && !plain) || (pack && (!panel || !rows)) || (columns_outer && !rows)) continue;
      auto made = Tiler(b, name, {pack, columns_outer}).run();
      if (made.ok()) out.push_back(std::move(*made));
    }
  }
  return out;
}

}  // namespace tessera::search
