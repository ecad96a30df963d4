#include "schedule/steps/tensorize.h"

#include <algorithm>
#include <array>

#include "ir/analysis/affine.h"
#include "ir/print.h"
#include "ir/rewrite.h"
#include "ir/simplify.h"
#include "schedule/geometry.h"
#include "schedule/intrinsics.h"
#include "schedule/steps/bind.h"
#include "schedule/steps/common.h"
#include "schedule/steps/fuse.h"
#include "schedule/steps/reorder.h"
#include "schedule/steps/split.h"
#include "schedule/steps/unroll.h"
#include "schedule/steps/vectorize.h"

namespace tessera::schedule {

namespace {

/// The change of the flat row-major index of `load` when `coordinate` grows by one; -1: not affine.
std::int64_t stride_of(const ir::Load& load, const Var& coordinate) {
  const std::vector<std::int64_t> extents = Buffer(load.buffer).extents();
  std::int64_t stride = 0, weight = 1;
  for (std::size_t d = extents.size(); d-- > 0;) {
    std::int64_t k = 0;
    Expr rest;
    if (!ir::split_linear(load.indices[d], coordinate.id(), k, rest)) return -1;
    stride += k * weight;
    weight *= extents[d];
  }
  return stride;
}

/// The coordinate that an axis moves by one: its value enters exactly one root with factor one.
Result<Var> unit_coordinate(const Stage& s, const std::string& axis) {
  const Var loop = s.find_axis(axis)->var;
  for (const RootAxis& r : s.roots) {
    std::int64_t k = 0;
    Expr rest;
    if (ir::split_linear(axis_value(s, r.axis), loop.id(), k, rest) && k == 1) return r.coordinate;
  }
  return refuse("loop '", axis, "' of stage '", s.name, "' does not step through one coordinate by one");
}

/// The two reads that a sum of products multiplies, and as what.
Result<std::pair<ir::MmaFactor, ir::MmaFactor>> factors_of(const Stage& s, const TensorIntrinsic& row) {
  const ir::Reduce* r = s.reduce();
  if (r == nullptr || r->combiner->op != ir::ReduceOp::kSum) return refuse("stage '", s.name, "' is no sum; ", row.name, " adds products");
  const auto* product = r->sources[0].as<ir::Mul>();
  if (product == nullptr || r->sources[0].type() != row.type) {
    return refuse("stage '", s.name, "' sums ", ir::to_string(r->sources[0]), "; ", row.name, " needs a product of two ",
                  ir::to_string(row.type), row.mma != nullptr ? " values" : " reads");
  }
  const bool cast = product->a.as<ir::Cast>() != nullptr || product->b.as<ir::Cast>() != nullptr;
  const ir::MmaFactor a = ir::mma_factor(product->a), b = ir::mma_factor(product->b);
  if (a.load == nullptr || b.load == nullptr || (cast && row.mma == nullptr)) {
    return refuse("stage '", s.name, "' multiplies more than two reads; inline nothing into ", row.name);
  }
  return std::pair{a, b};
}

Status match_fma(const Stage& s, const std::vector<std::string>& axes, const TensorIntrinsic& row) {
  if (axes.size() != 2) return refuse(row.name, " takes a row loop and a column loop, ", axes.size(), " loops given");
  const std::size_t n = s.leaves.size();
  if (n < 2 || s.leaves[n - 2] != axes[0] || s.leaves[n - 1] != axes[1]) {
    return refuse(row.name, " needs '", axes[0], "', '", axes[1], "' as the innermost loops of stage '", s.name, "'");
  }
  for (const std::string& a : axes) {
    if (s.find_axis(a)->kind != AxisKind::kData) return refuse("loop '", a, "' is a reduction; ", row.name, " needs data loops");
  }
  TESSERA_TRY(factors, factors_of(s, row));
  TESSERA_TRY(column, unit_coordinate(s, axes[1]));
  const std::int64_t sa = stride_of(*factors.first.load, column), sb = stride_of(*factors.second.load, column);
  const bool straight = (sa == 0 && sb >= 0) || (sb == 0 && sa >= 0);
  if (!straight || sa == sb) {
    return refuse("column loop '", axes[1], "' of stage '", s.name, "' must move exactly one operand of the product");
  }
  const std::int64_t rows = s.find_axis(axes[0])->extent;
  const std::int64_t vectors = (s.find_axis(axes[1])->extent + row.lanes - 1) / row.lanes;
  if (rows * vectors > row.max_rows) {
    return refuse("a tile of ", rows, " rows and ", vectors, " vectors needs ", rows * vectors, " accumulators; ", row.name,
                  " has room for ", row.max_rows);
  }
  return Done{};
}

/// Whether a read moves with a loop of its stage.
bool moves(const Stage& s, const ir::Load& read, const std::string& axis) {
  const Var loop = s.find_axis(axis)->var;
  const ir::VarMap values = coordinate_values(s);
  return std::any_of(read.indices.begin(), read.indices.end(), [&](const Expr& i) { return ir::uses_var(ir::substitute(i, values), loop.id()); });
}

/// How often a loop runs where that is one number, else -1. The pieces of a split that divides are equal, wherever the
/// loops over them are.
std::int64_t constant_count(const State& state, const Stage& s, const std::string& axis) {
  std::int64_t count = -1, whole = 0;
  if (is_const_int(ir::simplify(axis_extent(s, axis), loop_bounds(state)), &count)) return count;
  for (const Relation& r : s.relations) {
    const bool inner = r.kind == Relation::Kind::kSplit && r.inner == axis;
    if (inner && is_const_int(ir::simplify(axis_extent(s, r.whole), loop_bounds(state)), &whole) && whole % r.factor == 0) return r.factor;
  }
  return -1;
}

Status match_mma(const State& state, const Stage& s, const std::vector<std::string>& axes, const TensorIntrinsic& row) {
  const ir::Mma& m = *row.mma;
  const std::int64_t extents[] = {m.m, m.n, m.k};
  if (axes.size() != 3) return refuse(row.name, " takes a row loop, a column loop and a reduction loop, ", axes.size(), " loops given");
  const std::size_t n = s.leaves.size();
  for (std::size_t i = 0; i < 3; ++i) {
    const std::string& a = axes[i];
    if (n < 3 || s.leaves[n - 3 + i] != a) {
      return refuse(row.name, " needs '", axes[0], "', '", axes[1], "', '", axes[2], "' as the innermost loops of stage '", s.name, "'");
    }
    if ((s.find_axis(a)->kind == AxisKind::kReduce) != (i == 2)) {
      return refuse("loop '", a, "' is ", i == 2 ? "no" : "a", " reduction; ", row.name, " needs two data loops and a reduction loop");
    }
    const Expr extent = ir::simplify(axis_extent(s, a), loop_bounds(state));
    if (constant_count(state, s, a) != extents[i]) {
      return refuse("loop '", a, "' of stage '", s.name, "' runs ", ir::to_string(extent), " times; ", row.name, " is ", m.m, " x ", m.n, " x ",
                    m.k, ": split it so, and pad what is no multiple (pad_box, use_algorithm pad_reduction)");
    }
  }
  const Guards open = guards(s);
  for (const Exprs* all : {&open.statement, &open.value}) {
    for (const Expr& g : *all) {
      const Expr test = ir::simplify(g, loop_bounds(state));
      if (is_true(test)) continue;
      return refuse("iterations of stage '", s.name, "' are tested one by one (", ir::to_string(test), "); ", row.name, " computes whole tiles, pad_box makes them whole");
    }
  }
  TESSERA_TRY(factors, factors_of(s, row));
  for (const ir::MmaFactor& f : {factors.first, factors.second}) {
    if (f.type == m.operand) continue;
    const bool tf32 = m.operand == ir::tf32 && f.type == ir::f32;
    return refuse("stage '", s.name, "' multiplies values of ", ir::to_string(f.type), "; ", row.name, " takes ", ir::to_string(m.operand),
                  tf32 ? ": use_algorithm round_factors rounds them" : "");
  }
  const auto part = [&](const ir::Load& l) { return std::array{moves(s, l, axes[0]), moves(s, l, axes[1]), moves(s, l, axes[2])}; };
  const auto a = part(*factors.first.load), b = part(*factors.second.load);
  constexpr std::array kRows{true, false, true}, kColumns{false, true, true};
  if (!(a == kRows && b == kColumns) && !(a == kColumns && b == kRows)) {
    return refuse("one factor of stage '", s.name, "' must move with '", axes[0], "' and '", axes[2], "', the other with '", axes[1], "' and '", axes[2], "'");
  }
  return Done{};
}

Result<State> tensorize_fma(const State& state, const Tensorize& step, const TensorIntrinsic& row) {
  const auto& [stage, axes, intrinsic, tail] = step;
  TESSERA_TRY(rows, (Unroll{stage, axes[0]}.apply(state)));
  const std::string vectors = axes[1] + ".vectors", lanes = axes[1] + ".lanes";
  TESSERA_TRY(cut, (Split{stage, axes[1], {vectors, lanes}, {row.lanes}, tail}.apply(rows)));
  TESSERA_TRY(unrolled, (Unroll{stage, vectors}.apply(cut)));
  TESSERA_TRY(done, (Vectorize{stage, lanes}.apply(unrolled)));
  done.edit(stage).tensorized = Tensorized{intrinsic, axes};
  return done;
}

/// Every lane computes the sums that it will hold of the fragment.
Result<State> tensorize_mma(const State& state, const Tensorize& step) {
  const auto& [stage, axes, intrinsic, tail] = step;
  const std::string &m = axes[0], &n = axes[1], &k = axes[2], lane = m + ".lane";
  const std::string half = m + ".half", row = m + ".row", pair = n + ".pair", one = n + ".one";
  TESSERA_TRY(rows, (Split{stage, m, {half, row}, {8}, tail}.apply(state)));
  TESSERA_TRY(columns, (Split{stage, n, {pair, one}, {2}, tail}.apply(rows)));
  std::vector<std::string> order = columns.find(stage)->leaves;
  order.resize(order.size() - 5);
  for (const std::string& l : {row, pair, k, half, one}) order.push_back(l);
  TESSERA_TRY(ordered, (Reorder{stage, order}.apply(columns)));
  TESSERA_TRY(fused, (Fuse{stage, {row, pair}, lane}.apply(ordered)));
  TESSERA_TRY(done, (Bind{stage, lane, ir::ForKind::kLane}.apply(fused)));
  done.edit(stage).tensorized = Tensorized{intrinsic, {lane, k, half, one}};
  return done;
}

}  // namespace

Result<State> Tensorize::apply(const State& state) const {
  const TensorIntrinsic* row = find_tensor_intrinsic(intrinsic);
  if (row == nullptr) {
    std::string known;
    for (const TensorIntrinsic& r : tensor_intrinsics()) known += (known.empty() ? "" : ", ") + r.name;
    return refuse("unknown intrinsic '", intrinsic, "'; intrinsics are ", known);
  }
  TESSERA_TRY(s, require_compute(state, stage, "tensorize"));
  for (const std::string& a : axes) {
    TESSERA_TRY(loop, require_plain_loop(state, stage, a, "tensorize"));
    (void)loop;
  }
  if (row->mma != nullptr) {
    TESSERA_TRY_DONE(match_mma(state, *s, axes, *row));
    return tensorize_mma(state, *this);
  }
  TESSERA_TRY_DONE(match_fma(*s, axes, *row));
  return tensorize_fma(state, *this, *row);
}

}  // namespace tessera::schedule
