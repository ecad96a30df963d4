#include "schedule/algorithms/rewrites.h"

#include "ir/rewrite.h"
#include "schedule/steps/common.h"

namespace tessera::schedule {

namespace {

Result<Factor> match_factor(const Stage& s, const Expr& e) {
  Expr inner = e;
  while (const auto* c = inner.as<ir::Cast>()) inner = c->value;
  const auto* load = inner.as<ir::Load>();
  if (load == nullptr || load->predicate.defined()) {
    return refuse("stage '", s.name, "' multiplies something other than two reads; give what it multiplies a stage of its own");
  }
  bool gathers = false;
  for (const Expr& index : load->indices) {
    ir::walk(index, [&](const Expr& x) {
      gathers |= x.as<ir::Load>() != nullptr;
      return true;
    });
  }
  if (gathers) return refuse("stage '", s.name, "' reads '", load->buffer->name, "' at indices that are read themselves");
  return Factor{e, load};
}

}  // namespace

bool Factor::uses(const RootAxis& r) const {
  for (const Expr& index : load->indices) {
    if (ir::uses_var(index, r.coordinate.id())) return true;
  }
  return false;
}

Result<Product> match_product(const Stage& s) {
  const ir::Reduce* r = s.reduce();
  if (r == nullptr || r->combiner->op != ir::ReduceOp::kSum) return refuse("stage '", s.name, "' is no sum over reduction axes");
  const auto* mul = r->sources[0].as<ir::Mul>();
  if (mul == nullptr) return refuse("stage '", s.name, "' sums no product of two reads");
  TESSERA_TRY(a, match_factor(s, mul->a));
  TESSERA_TRY(b, match_factor(s, mul->b));
  return Product{a, b};
}

Var StageMaker::add(const std::string& axis, std::int64_t extent, AxisKind kind) {
  std::string name = axis;
  for (int i = 1; stage_.find_axis(name) != nullptr; ++i) name = axis + "_" + std::to_string(i);
  const Var coordinate = Var::fresh(name);
  stage_.roots.push_back({name, coordinate, kind, extent, false});
  stage_.axes.push_back({name, Var::fresh(name), kind, extent, ForKind::kSerial, false, {}});
  stage_.leaves.push_back(name);
  return coordinate;
}

Stage StageMaker::finish(const Expr& body, const ir::Combiner& combiner) {
  Exprs shape;
  std::vector<ir::ReduceAxis> over;
  for (const RootAxis& r : stage_.roots) {
    if (r.kind == AxisKind::kData) {
      shape.push_back(ir::int_imm(r.extent));
    } else {
      over.push_back({r.coordinate, ir::int_imm(r.extent)});
    }
  }
  stage_.outputs = {Buffer::fresh(stage_.name, body.type(), shape)};
  stage_.body = {over.empty() ? body : ir::make<ir::Reduce>(combiner, Exprs{body}, over, 0)};
  return std::move(stage_);
}

Expr flatten(const Exprs& coordinates, const std::vector<std::int64_t>& extents) {
  Expr out = ir::int_imm(0);
  for (std::size_t d = 0; d < coordinates.size(); ++d) out = out * ir::int_imm(extents[d]) + coordinates[d];
  return out;
}

Exprs unflatten(const Expr& flat, const std::vector<std::int64_t>& extents) {
  Exprs out(extents.size());
  std::int64_t inside = 1;
  for (std::size_t d = extents.size(); d-- > 0;) {
    const Expr rest = ir::floordiv(flat, ir::int_imm(inside));
    out[d] = d == 0 ? rest : ir::floormod(rest, ir::int_imm(extents[d]));
    inside *= extents[d];
  }
  return out;
}

Result<State> with_stages_before(const State& state, const Stage& s, std::vector<Stage> stages, const Expr& body) {
  State next = state;
  auto at = static_cast<std::size_t>(state.index_of(s.name));
  for (Stage& made : stages) {
    TESSERA_TRY_DONE(require_new_stage(next, made.name));
    next.insert(at++, std::move(made));
  }
  Stage& edit = next.edit(s.name);
  for (const RootAxis& r : s.roots) {
    if (r.kind != AxisKind::kReduce) continue;
    std::erase(edit.leaves, r.axis);
    std::erase_if(edit.axes, [&](const Axis& a) { return a.name == r.axis; });
  }
  std::erase_if(edit.roots, [](const RootAxis& r) { return r.kind == AxisKind::kReduce; });
  edit.body = {body};
  return next;
}

}  // namespace tessera::schedule
