#include "lower/passes/vectorize_loops.h"

#include <bit>

#include "ir/analysis/affine.h"
#include "ir/analysis/loops.h"
#include "ir/rewrite.h"
#include "ir/simplify.h"
#include "lower/pipeline.h"

namespace tessera::lower {

namespace {

using ir::Bounds;
using ir::Expr;
using ir::ExprKind;
using ir::int_imm;
using ir::Interval;
using ir::make_stmt;
using ir::Stmt;
using ir::Var;

/// Rewrites the body of one vector loop. Expressions that do not depend on the loop variable stay
/// scalar until they meet one that does.
class Lanes {
 public:
  Lanes(const Var& v, const Expr& first, int lanes, Expr mask)
      : v_(v), first_(first), lanes_(lanes), mask_(std::move(mask)) {}

  bool failed() const { return failed_; }

  Stmt stmt(const Stmt& s) {
    if (const auto* n = s.as<ir::Store>()) return store(*n);
    if (const auto* n = s.as<ir::IfThenElse>()) return branch(*n);
    if (const auto* n = s.as<ir::LetStmt>()) return let(*n);
    if (const auto* n = s.as<ir::For>()) {
      const Expr lo = expr(n->min), extent = expr(n->extent);
      // A loop whose count differs between lanes cannot run in lanes.
      failed_ |= !lo.type().is_scalar() || !extent.type().is_scalar() || n->loop == ir::ForKind::kVector;
      return failed_ ? s : make_stmt<ir::For>(n->var, lo, extent, n->loop, stmt(n->body), n->notes);
    }
    if (const auto* n = s.as<ir::Block>()) {
      ir::Stmts out;
      for (const Stmt& x : n->stmts) out.push_back(stmt(x));
      return ir::block(std::move(out));
    }
    failed_ = true;
    return s;
  }

 private:
  Expr widen(const Expr& e) const { return ir::broadcast(e, lanes_); }

  static bool vector(const Expr& e) { return e.type().lanes > 1; }

  Expr both(const Expr& a, const Expr& b) const {
    if (!a.defined()) return b;
    if (!b.defined()) return a;
    return widen(a) && widen(b);
  }

  Expr expr(const Expr& e) {
    if (const auto* n = e.as<ir::VarNode>()) {
      if (n->id == v_.id()) return ir::ramp(first_, int_imm(1), lanes_);
      const auto it = lets_.find(n->id);
      return it == lets_.end() ? e : it->second;
    }
    if (const auto* n = e.as<ir::Load>()) return load(*n);
    if (const auto* n = e.as<ir::IfThenElseExpr>()) return choice(*n);
    if (const auto* n = e.as<ir::Select>()) {
      const Expr c = expr(n->condition), y = expr(n->yes), no = expr(n->no);
      if (!vector(c) && !vector(y) && !vector(no)) return ir::select(c, y, no);
      return ir::select(widen(c), widen(y), widen(no));
    }
    if (const auto* n = e.as<ir::Let>()) {
      const Expr value = expr(n->value);
      const Var fresh = Var::fresh(n->var.name(), value.type());
      lets_[n->var.id()] = fresh;
      return ir::make<ir::Let>(fresh, value, expr(n->body));
    }
    if (const auto* n = e.as<ir::Call>()) {
      ir::Exprs args;
      bool wide = false;
      for (const Expr& a : n->args) args.push_back(expr(a));
      for (const Expr& a : args) wide |= vector(a);
      if (wide) {
        for (Expr& a : args) a = widen(a);
      }
      return ir::make<ir::Call>(n->type.with_lanes(wide ? lanes_ : 1), n->intrinsic, std::move(args));
    }
    const Expr r = ir::map_children(e, [this](const Expr& x) { return expr(x); });
    return mask_.defined() ? safe_divisor(r) : r;
  }

  /// Masked lanes hold zeros: an integer division must not meet them.
  Expr safe_divisor(const Expr& e) const {
    const ir::Binary* n = vector(e) ? ir::as_binary(e) : nullptr;
    if (n == nullptr || !n->type.is_integral() || is_const_int(n->b)) return e;
    const bool divides = n->kind == ExprKind::kDiv || n->kind == ExprKind::kMod || n->kind == ExprKind::kFloorDiv ||
                         n->kind == ExprKind::kFloorMod;
    if (!divides) return e;
    return ir::make_binary(n->kind, n->a, ir::select(widen(mask_), n->b, ir::constant_of(n->b.type(), 1)));
  }

  /// The flat index as a ramp where it is linear in the loop variable, else lane by lane.
  Expr index(const Expr& flat) {
    std::int64_t k = 0;
    Expr rest;
    if (!ir::split_linear(flat, v_.id(), k, rest)) return expr(flat);
    const Expr base = expr(rest);
    if (vector(base)) return base + ir::ramp(first_ * int_imm(k), int_imm(k), lanes_);
    return k == 0 ? base : ir::ramp(base + first_ * int_imm(k), int_imm(k), lanes_);
  }

  Expr load(const ir::Load& n) {
    Expr at = index(n.indices[0]);
    const Expr own = n.predicate.defined() ? expr(n.predicate) : n.predicate;
    const bool conditional = conditions_ > 0;
    if (!vector(at) && !(own.defined() && vector(own)) && !conditional) {
      return ir::make<ir::Load>(ir::Buffer(n.buffer), ir::Exprs{at}, own, 1);
    }
    const Expr mask = both(own, mask_);
    at = widen(at);
    return ir::make<ir::Load>(ir::Buffer(n.buffer), ir::Exprs{at}, mask.defined() ? widen(mask) : mask, lanes_);
  }

  /// What `f` rewrites runs only in the lanes where `condition` holds.
  template <class F>
  auto under(const Expr& condition, F f) {
    const Expr saved = mask_;
    mask_ = both(mask_, condition);
    ++conditions_;
    auto out = f();
    --conditions_;
    mask_ = saved;
    return out;
  }

  Expr choice(const ir::IfThenElseExpr& n) {
    const Expr c = expr(n.condition);
    if (!vector(c)) {
      Expr y = expr(n.yes), no = expr(n.no);
      if (vector(y) || vector(no)) {
        y = widen(y);
        no = widen(no);
      }
      return ir::if_then_else(c, y, no);
    }
    const Expr y = under(c, [&] { return expr(n.yes); });
    const Expr no = under(!c, [&] { return expr(n.no); });
    return ir::select(c, widen(y), widen(no));
  }

  Stmt store(const ir::Store& n) {
    const Expr at = index(n.indices[0]);
    const Expr value = expr(n.value);
    const Expr own = n.predicate.defined() ? expr(n.predicate) : n.predicate;
    if (!vector(at)) {
      // Every lane would write the same element: the loop is no data loop.
      failed_ = true;
      return make_stmt<ir::Store>(n.buffer, n.indices, n.value, n.predicate, n.streaming);
    }
    const Expr mask = both(own, mask_);
    return make_stmt<ir::Store>(n.buffer, ir::Exprs{at}, widen(value), mask.defined() ? widen(mask) : mask, n.streaming);
  }

  Stmt branch(const ir::IfThenElse& n) {
    const Expr c = expr(n.condition);
    if (!vector(c)) {
      const Stmt yes = stmt(n.yes);
      return make_stmt<ir::IfThenElse>(c, yes, n.no ? stmt(n.no) : n.no);
    }
    ir::Stmts out;
    out.push_back(under(c, [&] { return stmt(n.yes); }));
    if (n.no) out.push_back(under(!c, [&] { return stmt(n.no); }));
    return ir::block(std::move(out));
  }

  Stmt let(const ir::LetStmt& n) {
    const Expr value = expr(n.value);
    const Var fresh = Var::fresh(n.var.name(), value.type());
    lets_[n.var.id()] = fresh;
    return make_stmt<ir::LetStmt>(fresh, value, stmt(n.body));
  }

  const Var v_;
  const Expr first_;
  const int lanes_;
  Expr mask_;
  int conditions_ = 0;
  ir::VarMap lets_;
  bool failed_ = false;
};

class Vectorizer {
 public:
  explicit Vectorizer(const Options& options) : options_(options) {}

  Stmt stmt(const Stmt& s, const Bounds& bounds) {
    Bounds inner = bounds;
    if (const auto* n = s.as<ir::For>()) {
      const auto [count, values] = ir::loop_range(*n, bounds);
      inner[n->var.id()] = values;
      if (n->loop == ir::ForKind::kVector) return loop(*n, count, inner);
    }
    if (const auto* n = s.as<ir::LetStmt>()) inner[n->var.id()] = ir::range_of(n->value, bounds);
    return ir::map_children(
        s, [](const Expr& e) { return e; }, [&](const Stmt& x) { return x ? stmt(x, inner) : x; });
  }

 private:
  Stmt loop(const ir::For& n, const Interval& count, const Bounds& inner) {
    if (count.hi <= 1) {
      const Stmt one = ir::substitute(n.body, n.var, n.min);
      return count.lo == count.hi ? one : make_stmt<ir::IfThenElse>(int_imm(0) < n.extent, one);
    }
    const int lanes = static_cast<int>(std::bit_ceil(static_cast<std::uint64_t>(count.hi)));
    const bool whole = count.is_point() && count.hi == lanes;
    Expr mask;
    if (!whole && options_.mutant != Mutant::kTailUnmasked) {
      mask = ir::ramp(int_imm(0), int_imm(1), lanes) < ir::broadcast(n.extent, lanes);
    }
    Lanes pass(n.var, n.min, lanes, mask);
    const Stmt out = pass.stmt(n.body);
    if (pass.failed()) return make_stmt<ir::For>(n.var, n.min, n.extent, ir::ForKind::kSerial, stmt(n.body, inner), n.notes);
    // Scalar parts run once however many lanes do: not at all when there are none.
    return count.lo >= 1 ? out : make_stmt<ir::IfThenElse>(int_imm(0) < n.extent, out);
  }

  const Options& options_;
};

}  // namespace

Result<ir::Program> vectorize_loops(const ir::Program& program, const Options& options) {
  return map_functions(program, [&](const Stmt& s) -> Result<Stmt> { return Vectorizer(options).stmt(s, {}); });
}

}  // namespace tessera::lower
