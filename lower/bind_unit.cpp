#include "lower/detail/bind_unit.h"

#include <set>

#include "ir/analysis/accesses.h"
#include "ir/analysis/loops.h"
#include "ir/rewrite.h"
#include "ir/simplify.h"
#include "lower/detail/join_threads.h"

namespace tessera::lower {

namespace {

using ir::Bounds;
using ir::Buffer;
using ir::Expr;
using ir::Exprs;
using ir::ForKind;
using ir::int_imm;
using ir::make_stmt;
using ir::Stmt;
using ir::Stmts;
using ir::Var;

Expr both(const Expr& a, const Expr& b) { return !a.defined() ? b : !b.defined() ? a : a && b; }
Stmt when(const Expr& condition, Stmt s) {
  return !condition.defined() || is_true(condition) ? s : make_stmt<ir::IfThenElse>(condition, std::move(s));
}

bool has_join(const Stmt& s) {
  bool found = false;
  ir::walk(s, [&](const Stmt& x) {
    if (const auto* n = x.as<ir::For>()) found |= is_join(*n);
    return !found;
  });
  return found;
}

/// One tile statement: its loops over threads become the coordinates of this thread.
class Unit {
 public:
  Unit(const ThreadShape& shape, KernelThreads& kernel, bool in_loop)
      : shape_(shape), coordinates_(kernel.coordinates), threads_(kernel.count), identities_(kernel.identities), in_loop_(in_loop) {}

  std::string refusal;

  Stmt run(const Stmt& s, const Bounds& bounds) {
    Expr enough;
    if (shape_.warps == 0 && shape_.count() < threads_) enough = Expr(coordinates_.thread()) < int_imm(shape_.count());
    return apart(s, enough, bounds);
  }

 private:
  /// Conditions are pushed down to what they guard: threads meet outside of them.
  Stmt apart(const Stmt& s, const Expr& condition, const Bounds& bounds) {
    if (!has_join(s)) return when(condition, plain(s, bounds));
    if (const auto* n = s.as<ir::Block>()) {
      Stmts out;
      for (const Stmt& x : n->stmts) out.push_back(apart(x, condition, bounds));
      return ir::block(std::move(out));
    }
    if (const auto* n = s.as<ir::Instance>()) return apart(n->body, condition, bounds);
    if (const auto* n = s.as<ir::Allocate>()) return make_stmt<ir::Allocate>(n->buffer, apart(n->body, condition, bounds));
    if (const auto* n = s.as<ir::IfThenElse>(); n != nullptr && !n->no) return apart(n->yes, both(condition, n->condition), bounds);
    if (const auto* n = s.as<ir::For>()) {
      if (is_join(*n)) return join(*n, condition, bounds);
      if (ir::is_thread_level(n->loop)) {
        const std::set<ForKind> outer = bound_;
        const auto [body, inside, inner] = coordinate(*n, bounds);
        const Stmt out = apart(body, both(condition, inside), inner);
        bound_ = outer;
        return out;
      }
      if (is_const_int(n->extent)) {
        const bool outer = std::exchange(in_loop_, true);
        const Stmt body = apart(n->body, condition, with(*n, bounds));
        in_loop_ = outer;
        return make_stmt<ir::For>(n->var, n->min, n->extent, n->loop, body, n->notes);
      }
      refuse_("loop '" + n->var.name() + "' around a reduction that threads share runs a number of times that differs between tiles; threads meet in every iteration, pad the box or bind the loop");
      return s;
    }
    refuse_("a reduction that threads share stands where they cannot meet");
    return s;
  }

  /// The body for this thread, and the condition under which the loop reaches it.
  std::tuple<Stmt, Expr, Bounds> coordinate(const ir::For& n, const Bounds& bounds) {
    bound_.insert(n.loop);
    // Beside warps and lanes, thread.x, y and z have one iteration.
    if (shape_.warps > 0 && n.loop != ForKind::kWarp && n.loop != ForKind::kLane) return {ir::substitute(n.body, n.var, n.min), int_imm(0) < n.extent, bounds};
    const Var c = coordinates_.of(shape_, n.loop);
    Bounds inner = bounds;
    inner[c.id()] = {0, shape_.extent(n.loop) - 1};
    std::int64_t count = 0;
    const bool whole = is_const_int(n.extent, &count) && count == shape_.extent(n.loop) && !(n.loop == ForKind::kLane && count < kWarpThreads);
    const bool warps = n.loop == ForKind::kWarp && count * kWarpThreads < threads_;
    const Expr inside = whole && !warps ? Expr() : Expr(c) < n.extent;
    return {ir::substitute(n.body, n.var, n.min + c), inside, inner};
  }

  Stmt plain(const Stmt& s, const Bounds& bounds) {
    if (const auto* n = s.as<ir::Instance>()) return plain(n->body, bounds);
    if (const auto* n = s.as<ir::For>()) {
      if (ir::is_thread_level(n->loop)) {
        const std::set<ForKind> outer = bound_;
        const auto [body, inside, inner] = coordinate(*n, bounds);
        Stmt out = when(inside, plain(body, inner));
        bound_ = outer;
        return out;
      }
      return loop(*n, bounds);
    }
    if (const auto* n = s.as<ir::Store>()) return when(only_one(n->buffer), s);
    if (s.as<ir::LetStmt>() != nullptr) return update(s, bounds);
    return ir::map_children(
        s, [](const Expr& e) { return e; }, [&](const Stmt& x) { return x ? plain(x, bounds) : x; });
  }

  /// An update of memory is read, too, by the one thread that writes it.
  Stmt update(const Stmt& s, const Bounds& bounds) {
    Buffer memory;
    bool registers = false;
    ir::walk(s, [&](const Stmt& x) {
      if (const auto* n = x.as<ir::Store>()) {
        const bool own = n->buffer->scope == ir::Scope::kRegister || n->buffer->scope == ir::Scope::kLocal;
        registers |= own;
        if (!own) memory = n->buffer;
      }
      return true;
    });
    if (memory.get() != nullptr && !registers) return when(only_one(memory), s);
    return ir::map_children(
        s, [](const Expr& e) { return e; }, [&](const Stmt& x) { return x ? plain(x, bounds) : x; });
  }

  /// Memory is written by one thread where several run the statement.
  Expr only_one(const Buffer& b) {
    Expr out;
    if (b->scope == ir::Scope::kRegister || b->scope == ir::Scope::kLocal) return out;
    for (const ForKind level : {ForKind::kThreadX, ForKind::kThreadY, ForKind::kThreadZ, ForKind::kWarp, ForKind::kLane}) {
      const bool warps = level == ForKind::kWarp || level == ForKind::kLane;
      if (warps != (shape_.warps > 0) || bound_.count(level) != 0) continue;
      const bool several = level == ForKind::kLane || (level == ForKind::kWarp ? threads_ > kWarpThreads : shape_.extent(level) > 1);
      if (several) out = both(out, Expr(coordinates_.of(shape_, level)) == int_imm(0));
    }
    return out;
  }

  Stmt loop(const ir::For& n, const Bounds& bounds) {
    const Bounds inner = with(n, bounds);
    const ir::Interval count = ir::loop_range(n, bounds).count;
    if (is_const_int(n.extent)) return make_stmt<ir::For>(n.var, n.min, n.extent, n.loop, plain(n.body, inner), n.notes);
    const Stmt body = plain(n.body, inner);
    if (count.is_bounded() && n.loop == ForKind::kVector) {
      // Whole vectors where they fit; what is left one by one.
      const Stmt one = make_stmt<ir::For>(n.var, n.min, n.extent, ForKind::kSerial, body);
      const Stmt all = make_stmt<ir::For>(n.var, n.min, int_imm(count.hi), ForKind::kVector, body);
      if (!ir::chooses_registers(body, n.var)) return make_stmt<ir::IfThenElse>(n.extent == int_imm(count.hi), all, one);
      return make_stmt<ir::IfThenElse>(n.extent == int_imm(count.hi), all, tested(n, count.hi, body));
    }
    const bool unrolled = n.loop == ForKind::kUnroll || ir::chooses_registers(body, n.var);
    if (count.is_bounded() && unrolled) return tested(n, count.hi, body);
    return make_stmt<ir::For>(n.var, n.min, n.extent, n.loop, body, n.notes);
  }

  /// A constant count, each iteration tested.
  static Stmt tested(const ir::For& n, std::int64_t count, const Stmt& body) {
    const Expr inside = Expr(n.var) - n.min < n.extent;
    return make_stmt<ir::For>(n.var, n.min, int_imm(count), ForKind::kUnroll, make_stmt<ir::IfThenElse>(inside, body));
  }

  Stmt join(const ir::For& n, const Expr& condition, const Bounds& bounds) {
    const auto update = join_update(n);
    if (!update.ok()) {
      refuse_(update.reason());
      return n.body;
    }
    const auto group = join_group(shape_, update->levels, threads_, coordinates_);
    if (!group.ok()) {
      refuse_(group.reason());
      return n.body;
    }
    std::vector<Buffer> partial;
    std::map<std::uint64_t, Buffer> moved;
    Stmts out;
    for (const Buffer& r : update->results) {
      const auto identity = identities_.find(r->id);
      if (identity == identities_.end()) {
        refuse_("the reduction into '" + r->name + "' is not initialised in its kernel");
        return n.body;
      }
      partial.push_back(Buffer::fresh(r->name + ".part", r->dtype, {int_imm(1)}, ir::Scope::kRegister));
      moved[r->id] = partial.back();
      out.push_back(make_stmt<ir::Store>(partial.back(), Exprs{int_imm(0)}, identity->second));
    }
    const std::set<ForKind> outer = bound_;
    const auto [body, inside, inner] = coordinate(n, bounds);
    out.push_back(when(both(condition, inside), plain(on_partials(body, *update, moved), inner)));
    out.push_back(joined(*update, partial, *group, threads_, in_loop_, coordinates_.thread()));
    Exprs totals;
    for (const Buffer& p : partial) totals.push_back(p.load({int_imm(0)}));
    bound_ = outer;
    Expr writer = both(condition, asked_of_result(n.body, {n.var.id()}));
    for (const Buffer& r : update->results) writer = both(writer, only_one(r));
    out.push_back(when(writer, update->with(update->results, update->at, totals)));
    Stmt all = ir::block(std::move(out));
    for (const Buffer& p : partial) all = make_stmt<ir::Allocate>(p, all);
    return all;
  }

  /// What the body asks of the result and not of its own loops, `inside`: where that fails there is nothing to write.
  static Expr asked_of_result(const Stmt& body, std::set<ir::VarId> inside) {
    if (const auto* n = body.as<ir::Instance>()) return asked_of_result(n->body, std::move(inside));
    if (const auto* n = body.as<ir::Allocate>()) return asked_of_result(n->body, std::move(inside));
    if (const auto* n = body.as<ir::Block>()) return asked_of_result(n->stmts.back(), std::move(inside));
    if (const auto* n = body.as<ir::For>()) {
      inside.insert(n->var.id());
      return asked_of_result(n->body, std::move(inside));
    }
    const auto* n = body.as<ir::IfThenElse>();
    if (n == nullptr) return {};
    const std::function<Expr(const Expr&)> outer = [&](const Expr& c) -> Expr {
      if (const auto* a = c.as<ir::And>()) return both(outer(a->a), outer(a->b));
      const std::vector<Var> vars = ir::free_vars(c);
      return std::any_of(vars.begin(), vars.end(), [&](const Var& v) { return inside.count(v.id()) != 0; }) ? Expr() : c;
    };
    return both(outer(n->condition), asked_of_result(n->yes, inside));
  }

  /// The update on the partial results of this thread.
  Stmt on_partials(const Stmt& s, const JoinUpdate& update, const std::map<std::uint64_t, Buffer>& moved) {
    std::set<ir::VarId> own;
    ir::walk(s, [&](const Stmt& x) {
      if (const auto* n = x.as<ir::For>()) own.insert(n->var.id());
      return true;
    });
    for (std::size_t i = 0; i < update.at.size(); ++i) {
      for (const Expr& e : update.at[i]) {
        for (const Var& v : ir::free_vars(e)) {
          if (own.count(v.id()) != 0) refuse_("data loop '" + v.name() + "' stands inside the reduction into '" + update.results[i]->name + "' that threads share; reorder it outside");
        }
      }
    }
    const Exprs zero{int_imm(0)};
    const ir::ExprFn expr = [&](const Expr& e) -> Expr {
      const auto* load = e.as<ir::Load>();
      if (load != nullptr && moved.count(load->buffer->id) != 0) return moved.at(load->buffer->id).load(zero);
      return ir::map_children(e, expr);
    };
    const ir::StmtFn stmt = [&](const Stmt& x) -> Stmt {
      const Stmt r = ir::map_children(x, expr, [&](const Stmt& y) { return y ? stmt(y) : y; });
      const auto* st = r.as<ir::Store>();
      if (st == nullptr || moved.count(st->buffer->id) == 0) return r;
      return make_stmt<ir::Store>(moved.at(st->buffer->id), zero, st->value);
    };
    return stmt(s);
  }

  static Bounds with(const ir::For& n, const Bounds& bounds) {
    Bounds inner = bounds;
    inner[n.var.id()] = ir::loop_range(n, bounds).values;
    return inner;
  }

  void refuse_(const std::string& why) {
    if (refusal.empty()) refusal = why;
  }

  const ThreadShape shape_;
  Coordinates& coordinates_;
  const std::int64_t threads_;
  const std::map<std::uint64_t, Expr>& identities_;
  bool in_loop_;
  std::set<ForKind> bound_;  // levels whose loops are around
};

}  // namespace

Result<Stmt> bind_unit(const Stmt& s, const ThreadShape& shape, KernelThreads& kernel, const Bounds& bounds, bool in_loop) {
  Unit unit(shape, kernel, in_loop);
  const Stmt out = unit.run(s, bounds);
  if (!unit.refusal.empty()) return Refusal{unit.refusal};
  return out;
}

}  // namespace tessera::lower
