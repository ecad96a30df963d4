#include "ir/nest_summary.h"

#include <algorithm>

#include "ir/analysis/affine.h"
#include "ir/analysis/loops.h"
#include "ir/mma.h"
#include "ir/rewrite.h"
#include "ir/simplify.h"

namespace tessera::ir {

namespace {

void count(const Expr& e, OpCounts& out) {
  if (e->kind == ExprKind::kLoad) return;  // indices are addressing, not work
  for_each_child(e, [&](const Expr& c) { count(c, out); });
  out += operation_of(e);
}

class Summarizer {
 public:
  NestSummary out;
  bool prepared = false;  // of the function that is visited

  void visit(const Stmt& s) {
    if (!s) return;
    if (const auto* n = s.as<For>()) {
      const auto [extent, values] = loop_range(*n, bounds_);
      bounds_[n->var.id()] = values;
      // A loop of at most one iteration is none, unless it makes lanes.
      if (extent.hi <= 1 && n->loop != ForKind::kVector) return visit(n->body);
      vars_.push_back(n->var);
      const auto slots = n->notes.find("pipeline");
      loops_.push_back({extent.hi, n->loop, copies_of(n->loop, extent.hi, n->notes), slots == n->notes.end() ? 1 : slots->second});
      for (const auto& [note, value] : n->notes) {
        if (find_mma(note) != nullptr) intrinsic_ = note;
      }
      visit(n->body);
      if (n->notes.count(intrinsic_) != 0) intrinsic_.clear();
      vars_.pop_back();
      loops_.pop_back();
      return;
    }
    if (const auto* n = s.as<Instance>()) return instance(*n);
    if (const auto* n = s.as<Role>()) {
      last_block_ = n->name == kLastBlock;
      visit(n->body);
      last_block_ = false;
      return;
    }
    for_each_child(s, {}, [&](const Stmt& x) { visit(x); });
  }

 private:
  void instance(const Instance& n) {
    StatementSummary st;
    st.stage = n.stage;
    st.phase = n.phase;
    st.prepared = prepared;
    st.last_block = last_block_;
    st.intrinsic = intrinsic_;
    st.loops = loops_;
    std::vector<AccessSummary> reads;
    walk(
        n.body,
        [&](const Stmt& s) {
          if (const auto* store = s.as<Store>()) {
            st.accesses.push_back(access(store->buffer, true, store->indices));
            st.ops += count_operations(store->value);
          }
          if (const auto* let = s.as<LetStmt>()) st.ops += count_operations(let->value);
          return true;
        },
        [&](const Expr& e) {
          if (const auto* load = e.as<Load>()) reads.push_back(access(Buffer(load->buffer), false, load->indices));
          return true;
        });
    st.accesses.insert(st.accesses.end(), reads.begin(), reads.end());
    out.statements.push_back(std::move(st));
  }

  AccessSummary access(const Buffer& b, bool write, const Exprs& indices) const {
    return summarize_access(b, write, simplify(b->layout.swizzled({}).offset(indices), bounds_), vars_);
  }

  Bounds bounds_;
  std::string intrinsic_;  // of the loops around
  bool last_block_ = false;  // of the statements that are visited
  std::vector<Var> vars_;
  std::vector<LoopSummary> loops_;
};

}  // namespace

OpCounts& OpCounts::operator+=(const OpCounts& o) {
  float_mul += o.float_mul;
  float_add += o.float_add;
  float_div += o.float_div;
  float_compare += o.float_compare;
  float_call += o.float_call;
  integer += o.integer;
  select += o.select;
  return *this;
}

OpCounts operation_of(const Expr& e) {
  OpCounts out;
  if (const Binary* n = as_binary(e)) {
    if (n->a.type() == i64 || n->a.type() == boolean) return out;  // coordinates and conditions on them
    if (!n->a.type().is_float()) {
      ++out.integer;
      return out;
    }
    switch (n->kind) {
      case ExprKind::kMul: ++out.float_mul; break;
      case ExprKind::kDiv: ++out.float_div; break;
      case ExprKind::kAdd:
      case ExprKind::kSub: ++out.float_add; break;
      default: ++out.float_compare; break;
    }
  }
  if (e->kind == ExprKind::kCall) ++out.float_call;
  if (e->kind == ExprKind::kSelect || e->kind == ExprKind::kIfThenElseExpr) ++out.select;
  return out;
}

OpCounts count_operations(const Expr& value) {
  OpCounts out;
  count(value, out);
  return out;
}

AccessSummary summarize_access(const Buffer& b, bool write, const Expr& offset, const std::vector<Var>& loops) {
  AccessSummary a;
  a.buffer = b->name;
  a.write = write;
  a.scope = b->scope;
  a.element_bytes = b->dtype.bytes();
  a.elements = b->layout.size();
  if (b.rank() > 0) is_const_int(b->shape.back(), &a.row);
  const AffineSum sum = affine_sum(offset);
  for (const Var& v : loops) {
    bool elsewhere = false;
    for (const Term& t : sum.terms) elsewhere |= t.atom->kind != ExprKind::kVar && uses_var(t.atom, v.id());
    a.regular &= !elsewhere;
    a.strides.push_back(elsewhere ? 0 : sum.coefficient_of(v.id()));
  }
  return a;
}

NestSummary summarize(const Program& structured) {
  Summarizer s;
  for (const Function& f : structured.functions) {
    s.prepared = std::any_of(structured.launches.begin(), structured.launches.end(),
                             [&](const LaunchSite& l) { return l.phase == RunPhase::kPrepare && l.function == f.name; });
    s.visit(f.body);
  }
  return std::move(s.out);
}

}  // namespace tessera::ir
