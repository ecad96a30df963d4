#include "schedule/detail/body_shape.h"

#include <algorithm>

#include "ir/analysis/affine.h"
#include "ir/print.h"
#include "ir/rewrite.h"

namespace tessera::schedule::detail {

void BodyShapes::add_coordinates(const Stage& s) {
  for (std::size_t r = 0; r < s.roots.size(); ++r) {
    slots_[s.roots[r].coordinate.id()] = shape_.coordinates++;
    shape_.owners.emplace_back(state_.index_of(s.name), static_cast<int>(r));
  }
}

// ---- index expressions ----------------------------------------------------------------------------

Result<Form> BodyShapes::form(const Expr& e) {
  const ir::AffineSum s = ir::affine_sum(e);
  Form out;
  out.constant = s.constant;
  for (const ir::Term& t : s.terms) {
    TESSERA_TRY(a, atom(t.atom));
    out.terms.emplace_back(t.coefficient, a);
    const FormAtom& made = shape_.atoms[static_cast<std::size_t>(a)];
    out.plain &= made.kind == FormAtom::Kind::kCoordinate && made.slot < shape_.coordinates;
  }
  return out;
}

Result<int> BodyShapes::atom(const Expr& e) {
  const auto* v = e.as<ir::VarNode>();
  if (v == nullptr) return composite(e);
  auto it = slots_.find(v->id);
  if (it == slots_.end()) {
    const auto* d = numbers_.virtual_of(v->id);
    if (d == nullptr) return refuse("index '", ir::to_string(e), "' is no coordinate");
    virtual_slot(*d, v->id);
    it = slots_.find(v->id);
  }
  const Slot slot = it->second;
  if (slot >= shape_.coordinates && std::find(virtuals_->begin(), virtuals_->end(), slot) == virtuals_->end()) {
    virtuals_->push_back(slot);
  }
  const auto [known, fresh] = atom_of_slot_.emplace(slot, static_cast<int>(shape_.atoms.size()));
  if (fresh) shape_.atoms.push_back({FormAtom::Kind::kCoordinate, slot, 1, {}, {}});
  return known->second;
}

Result<int> BodyShapes::composite(const Expr& e) {
  const ir::Binary* n = ir::as_binary(e);
  FormAtom out;
  bool divides = false;
  switch (e->kind) {
    case ir::ExprKind::kFloorDiv: out.kind = FormAtom::Kind::kDiv, divides = true; break;
    case ir::ExprKind::kFloorMod: out.kind = FormAtom::Kind::kMod, divides = true; break;
    case ir::ExprKind::kMin: out.kind = FormAtom::Kind::kMin; break;
    case ir::ExprKind::kMax: out.kind = FormAtom::Kind::kMax; break;
    default: return refuse("index '", ir::to_string(e), "' is no arithmetic on coordinates");
  }
  TESSERA_TRY(a, form(n->a));
  out.a = std::move(a);
  if (divides && (!is_const_int(n->b, &out.divisor) || out.divisor <= 0)) {
    return refuse("index '", ir::to_string(e), "' divides by no positive constant");
  }
  if (!divides) {
    TESSERA_TRY(b, form(n->b));
    out.b = std::move(b);
  }
  shape_.atoms.push_back(std::move(out));
  return static_cast<int>(shape_.atoms.size()) - 1;
}

FrameValue BodyShapes::frame_value(const StepFollower::Definition& d) {
  FrameValue out{d.frame, d.axis, {}};
  for (const auto& [axis, v] : d.leaves) {
    if (slots_.count(v.id()) == 0) virtual_slot(*numbers_.virtual_of(v.id()), v.id());
    out.leaves.resize(std::max(out.leaves.size(), static_cast<std::size_t>(axis) + 1));
    const Slot slot = slots_.at(v.id());
    out.leaves[static_cast<std::size_t>(axis)] = slot;
    if (slot >= shape_.coordinates && std::find(virtuals_->begin(), virtuals_->end(), slot) == virtuals_->end()) {
      virtuals_->push_back(slot);
    }
  }
  return out;
}

Slot BodyShapes::virtual_slot(const StepFollower::Definition& d, ir::VarId id) {
  FrameValue value = frame_value(d);  // what it is made of comes before it
  const Slot slot = shape_.coordinates + static_cast<Slot>(shape_.virtuals.size());
  shape_.virtuals.push_back(std::move(value));
  slots_[id] = slot;
  return slot;
}

// ---- conditions -----------------------------------------------------------------------------------

int BodyShapes::condition(const Expr& e) {
  using Kind = ConditionShape::Kind;
  ConditionShape out;
  const ir::Binary* n = ir::as_binary(e);
  if (is_true(e) || is_false(e)) {
    out.kind = Kind::kConstant;
    out.value = is_true(e);
  } else if (const auto* v = e.as<ir::VarNode>()) {
    if (const auto* d = numbers_.guard_of(v->id)) {
      out.kind = Kind::kInside;
      if (guards_.count(v->id) == 0) {
        shape_.guards.push_back({frame_value(*d)});
        guards_[v->id] = static_cast<int>(shape_.guards.size()) - 1;
      }
      out.first = guards_.at(v->id);
    }
  } else if (const auto* x = e.as<ir::Not>()) {
    out.kind = Kind::kNot;
    out.first = condition(x->a);
  } else if (e->kind == ir::ExprKind::kAnd || e->kind == ir::ExprKind::kOr) {
    out.kind = e->kind == ir::ExprKind::kAnd ? Kind::kAnd : Kind::kOr;
    out.first = condition(n->a);
    out.second = condition(n->b);
  } else if (n != nullptr && n->a.type() == ir::i64) {
    const std::map<ir::ExprKind, Kind> kinds{{ir::ExprKind::kLT, Kind::kLess}, {ir::ExprKind::kLE, Kind::kLessEqual},
                                             {ir::ExprKind::kEQ, Kind::kEqual}, {ir::ExprKind::kNE, Kind::kNotEqual}};
    const auto kind = kinds.find(e->kind);
    auto a = form(n->a), b = form(n->b);
    if (kind != kinds.end() && a.ok() && b.ok()) {
      out.kind = kind->second;
      out.a = std::move(*a);
      out.b = std::move(*b);
    }
  }
  shape_.conditions.push_back(std::move(out));
  return static_cast<int>(shape_.conditions.size()) - 1;
}

// ---- bodies ---------------------------------------------------------------------------------------

Result<int> BodyShapes::add_read(const ir::Load& load) {
  const Stage* p = state_.producer(load.buffer.get());
  if (p == nullptr) return refuse("buffer '", load.buffer->name, "' has no stage");
  ReadShape out;
  out.stage = state_.index_of(p->name);
  while (p->outputs[out.value].get() != load.buffer.get()) ++out.value;
  for (const Expr& i : load.indices) {
    TESSERA_TRY(f, form(i));
    out.index.push_back(std::move(f));
  }
  const auto known = std::find(shape_.reads.begin(), shape_.reads.end(), out);
  const auto at = static_cast<int>(known - shape_.reads.begin());
  if (known == shape_.reads.end()) shape_.reads.push_back(std::move(out));
  return at;
}

Status BodyShapes::read(const Stage& s, StageShape& out) {
  virtuals_ = &out.virtuals;
  std::vector<WorkItem> all;
  for (const Expr& e : numbers_.work(s)) TESSERA_TRY_DONE(items(e, all));
  for (const WorkItem& item : all) {
    const bool fresh = std::find(out.reads.begin(), out.reads.end(), item.index) == out.reads.end();
    if (item.kind == WorkItem::Kind::kRead && fresh) out.reads.push_back(item.index);
  }
  return Done{};
}

Status BodyShapes::branch(const Expr& c, const Expr& yes, const Expr& no, std::vector<WorkItem>& out) {
  const std::size_t at = out.size();
  WorkItem item;
  item.kind = WorkItem::Kind::kBranch;
  item.index = condition(c);
  out.push_back(item);
  int part = 0;
  for (const Expr& e : {c, yes, no}) {
    const std::size_t from = out.size();
    TESSERA_TRY_DONE(items(e, out));
    out[at].lengths[static_cast<std::size_t>(part++)] = static_cast<int>(out.size() - from);
  }
  return Done{};
}

Status BodyShapes::items(const Expr& e, std::vector<WorkItem>& out) {
  if (const auto* load = e.as<ir::Load>()) {
    TESSERA_TRY(read, add_read(*load));
    WorkItem item;
    item.kind = WorkItem::Kind::kRead;
    item.index = read;
    out.push_back(item);
    return Done{};
  }
  if (const auto* n = e.as<ir::Select>()) return branch(n->condition, n->yes, n->no, out);
  if (const auto* n = e.as<ir::IfThenElseExpr>()) return branch(n->condition, n->yes, n->no, out);
  Status done = Done{};
  ir::for_each_child(e, [&](const Expr& c) {
    if (done.ok()) done = items(c, out);
  });
  if (done.ok() && !(ir::operation_of(e) == ir::OpCounts{})) {
    WorkItem item;
    item.ops = ir::operation_of(e);
    out.push_back(item);
  }
  return done;
}

Status BodyShapes::work(const Stage& s, StatementShape& out) {
  virtuals_ = &shape_.stages[static_cast<std::size_t>(out.stage)].virtuals;
  const ir::Reduce* r = s.reduce();
  if (r != nullptr) {
    for (const Expr& e : r->combiner->result) out.ops += ir::count_operations(e);
  }
  const Exprs work = numbers_.work(s);
  for (std::size_t n = 0; n < work.size(); ++n) {
    StatementShape::Part& part = out.parts.emplace_back();
    for (std::size_t v = 0; r != nullptr && v < s.outputs.size(); ++v) {
      if (s.body[v].as<ir::Reduce>()->index == static_cast<int>(n)) part.accumulated.push_back(v);
    }
    TESSERA_TRY_DONE(items(work[n], part.items));
  }
  return Done{};
}

}  // namespace tessera::schedule::detail
