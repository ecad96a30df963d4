#include "ir/print.h"
#include "ir/rewrite.h"
#include "schedule/algorithms/rewrites.h"
#include "schedule/steps/common.h"

namespace tessera::schedule {

namespace {

/// The factor as a tensor of its own in which the reduction goes on to `padded`, with zeros there.
Result<Stage> with_zeros(const Stage& s, const Factor& f, const RootAxis& k, std::int64_t padded) {
  const Buffer from(f.load->buffer);
  StageMaker maker(s.name + "." + from->name + ".zeros");
  Exprs at;
  Expr depth;
  for (std::size_t d = 0; d < f.load->indices.size(); ++d) {
    const auto* v = f.load->indices[d].as<ir::VarNode>();
    const bool along = v != nullptr && v->id == k.coordinate.id();
    if (!along && ir::uses_var(f.load->indices[d], k.coordinate.id())) {
      return refuse("stage '", s.name, "' reads '", from->name, "' at ", ir::to_string(f.load->indices[d]), "; pad_reduction needs the axis '", k.axis,
                    "' itself there: im2col makes a matrix of a convolution");
    }
    const Var x = maker.data(along ? k.axis : "d" + std::to_string(d), along ? padded : from.extents()[d]);
    if (along) depth = x;
    at.push_back(x);
  }
  if (!depth.defined()) return refuse("stage '", s.name, "' reads '", from->name, "' without its reduction axis '", k.axis, "'");
  return maker.finish(ir::if_then_else(depth < ir::int_imm(k.extent), from.load(at), ir::constant_of(from->dtype, 0)));
}

/// `f` reading `padded` at the same place.
Expr moved(const Factor& f, const Buffer& padded) {
  return ir::rewrite(f.value, [&](const ir::Load& l, const Expr&, const ir::ExprFn&) { return padded.load(l.indices); });
}

}  // namespace

Result<State> pad_reduction(const State& state, const Stage& s, const AlgorithmValues& values) {
  TESSERA_TRY(product, match_product(s));
  const RootAxis* k = nullptr;
  for (const RootAxis& r : s.roots) {
    if (r.kind != AxisKind::kReduce) continue;
    if (k != nullptr) return refuse("stage '", s.name, "' reduces over '", k->axis, "' and '", r.axis, "'; pad_reduction takes one axis");
    k = &r;
  }
  const std::int64_t multiple = values.at("multiple"), padded = (k->extent + multiple - 1) / multiple * multiple;
  if (padded == k->extent) return refuse("the reduction of stage '", s.name, "' over ", k->extent, " values is a multiple of ", multiple, " already");
  TESSERA_TRY(a, with_zeros(s, product.a, *k, padded));
  TESSERA_TRY(b, with_zeros(s, product.b, *k, padded));
  const RootAxis axis = *k;
  const ir::Combiner combiner = s.reduce()->combiner;
  const Expr body = moved(product.a, a.outputs[0]) * moved(product.b, b.outputs[0]);
  TESSERA_TRY(next, with_stages_before(state, s, {std::move(a), std::move(b)}, body));
  Stage& edit = next.edit(s.name);
  edit.roots.push_back({axis.axis, axis.coordinate, AxisKind::kReduce, padded, false});
  edit.axes.push_back({axis.axis, Var::fresh(axis.axis), AxisKind::kReduce, padded, ForKind::kSerial, false, {}});
  edit.leaves.push_back(axis.axis);
  edit.body = {ir::make<ir::Reduce>(combiner, Exprs{body}, std::vector<ir::ReduceAxis>{{axis.coordinate, ir::int_imm(padded)}}, 0)};
  return next;
}

}  // namespace tessera::schedule
