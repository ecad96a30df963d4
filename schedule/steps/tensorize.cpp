#include "schedule/steps/tensorize.h"

#include "ir/analysis/affine.h"
#include "ir/print.h"
#include "schedule/geometry.h"
#include "schedule/intrinsics.h"
#include "schedule/steps/common.h"
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

Status match(const Stage& s, const std::vector<std::string>& axes, const TensorIntrinsic& row) {
  if (axes.size() != 2) return refuse(row.name, " takes a row loop and a column loop, ", axes.size(), " loops given");
  const std::size_t n = s.leaves.size();
  if (n < 2 || s.leaves[n - 2] != axes[0] || s.leaves[n - 1] != axes[1]) {
    return refuse(row.name, " needs '", axes[0], "', '", axes[1], "' as the innermost loops of stage '", s.name, "'");
  }
  for (const std::string& a : axes) {
    if (s.find_axis(a)->kind != AxisKind::kData) return refuse("loop '", a, "' is a reduction; ", row.name, " needs data loops");
  }
  const ir::Reduce* r = s.reduce();
  if (r == nullptr || r->combiner->op != ir::ReduceOp::kSum) return refuse("stage '", s.name, "' is no sum; ", row.name, " adds products");
  const auto* product = r->sources[0].as<ir::Mul>();
  if (product == nullptr || r->sources[0].type() != row.type) {
    return refuse("stage '", s.name, "' sums ", ir::to_string(r->sources[0]), "; ", row.name, " needs a product of two ",
                  ir::to_string(row.type), " reads");
  }
  const auto* a = product->a.as<ir::Load>();
  const auto* b = product->b.as<ir::Load>();
  if (a == nullptr || b == nullptr) return refuse("stage '", s.name, "' multiplies more than two reads; inline nothing into ", row.name);
  TESSERA_TRY(column, unit_coordinate(s, axes[1]));
  const std::int64_t sa = stride_of(*a, column), sb = stride_of(*b, column);
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

}  // namespace

Result<State> Tensorize::apply(const State& state) const {
  const TensorIntrinsic* row = find_tensor_intrinsic(intrinsic);
  if (row == nullptr) {
    std::string known;
    for (const TensorIntrinsic& r : tensor_intrinsics()) known += (known.empty() ? "" : ", ") + r.name;
    return refuse("unknown intrinsic '", intrinsic, "'; intrinsics are ", known);
  }
  TESSERA_TRY(s, require_compute(state, stage, "tensorize"));
  for (const std::string& a : axes) TESSERA_TRY_DONE(require_plain_loop(state, stage, a, "tensorize").ok() ? Status(Done{}) : Status(require_plain_loop(state, stage, a, "tensorize").refusal()));
  TESSERA_TRY_DONE(match(*s, axes, *row));
  TESSERA_TRY(rows, (Unroll{stage, axes[0]}.apply(state)));
  const std::string vectors = axes[1] + ".vectors", lanes = axes[1] + ".lanes";
  TESSERA_TRY(cut, (Split{stage, axes[1], {vectors, lanes}, {row->lanes}, tail}.apply(rows)));
  TESSERA_TRY(unrolled, (Unroll{stage, vectors}.apply(cut)));
  TESSERA_TRY(done, (Vectorize{stage, lanes}.apply(unrolled)));
  done.edit(stage).tensorized = Tensorized{intrinsic, axes};
  return done;
}

}  // namespace tessera::schedule
