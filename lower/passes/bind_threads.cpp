#include "lower/passes/bind_threads.h"

#include <algorithm>
#include <set>

#include "ir/analysis/accesses.h"
#include "ir/analysis/loops.h"
#include "ir/rewrite.h"
#include "ir/simplify.h"
#include "lower/detail/join_threads.h"
#include "lower/detail/thread_units.h"
#include "lower/pipeline.h"

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
  Unit(ThreadShape shape, Coordinates& coordinates, std::int64_t threads, bool in_loop, const std::map<std::uint64_t, Expr>& identities)
      : shape_(shape), coordinates_(coordinates), threads_(threads), in_loop_(in_loop), identities_(identities) {}

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
        const auto [body, inside, inner] = coordinate(*n, bounds);
        return apart(body, both(condition, inside), inner);
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
  bool in_loop_;
  const std::map<std::uint64_t, Expr>& identities_;
  std::set<ForKind> bound_;  // levels whose loops are around
};

class Binder {
 public:
  Result<Stmt> run(const Stmt& kernel) {
    std::vector<const ir::For*> blocks;
    Bounds bounds;
    auto [body, last] = apart(kernel);
    while (const auto* n = body.as<ir::For>()) {
      if (!ir::is_block_level(n->loop)) break;
      std::int64_t count = 0;
      if (!is_const_int(n->extent, &count)) return refuse("the grid loop '", n->var.name(), "' has no constant count");
      bounds[n->var.id()] = {0, count - 1};
      blocks.push_back(n);
      block_count_ *= count;
      body = n->body;
    }
    if (last && block_count_ > (std::int64_t{1} << 32)) return refuse("a grid of ", block_count_, " blocks is more than one of them can count");
    if (last) body = ir::block({body, last});
    TESSERA_TRY_DONE(no_blocks_inside(body));
    TESSERA_TRY_DONE(count_threads(body, bounds));
    Coordinates coordinates(Var::fresh("thread"));
    coordinates_ = &coordinates;
    find_identities(body);
    Stmt out = spread_ ? tile(body, bounds, false) : when(Expr(coordinates.thread()) == int_imm(0), of_one_thread(body));
    if (!refusal_.empty()) return Refusal{refusal_};
    for (auto it = coordinates.all().rbegin(); it != coordinates.all().rend(); ++it) out = make_stmt<ir::LetStmt>(it->var, it->value, std::move(out));
    out = make_stmt<ir::For>(coordinates.thread(), int_imm(0), int_imm(threads_), ForKind::kThreadX, std::move(out));
    for (auto it = blocks.rbegin(); it != blocks.rend(); ++it) {
      out = make_stmt<ir::For>((*it)->var, (*it)->min, (*it)->extent, (*it)->loop, std::move(out), (*it)->notes);
    }
    return ir::simplify(out, {});
  }

 private:
  /// The loops over blocks, and what the last block does after them.
  static std::pair<Stmt, Stmt> apart(const Stmt& kernel) {
    const auto* n = kernel.as<ir::Block>();
    const auto* role = n == nullptr ? nullptr : n->stmts.back().as<ir::Role>();
    if (role == nullptr || role->name != ir::kLastBlock) return {kernel, {}};
    return {ir::block(Stmts(n->stmts.begin(), n->stmts.end() - 1)), n->stmts.back()};
  }

  /// Blocks draw tickets when their threads have met; who draws the last one goes on, knowing what all have written.
  /// The condition is the same in all threads of a block, which may meet under it.
  Stmt in_last_block(const Stmt& meet, Stmt body) const {
    const Buffer ticket = Buffer::fresh("ticket", ir::u32, {int_imm(1)}, ir::Scope::kShared);
    const Exprs first{int_imm(0)};
    const Stmt draw = make_stmt<ir::TileOp>("draw_ticket." + std::to_string(block_count_), std::vector<ir::Region>{{ticket, first, {int_imm(1)}}});
    const Expr last = ticket.load(first) == int_imm(block_count_ - 1, ir::u32);
    const Stmt one = make_stmt<ir::IfThenElse>(Expr(coordinates_->thread()) == int_imm(0), draw);
    return make_stmt<ir::Allocate>(ticket, ir::block({meet, one, meet, make_stmt<ir::IfThenElse>(last, std::move(body))}));
  }

  Stmt barrier() const { return make_stmt<ir::Barrier>(threads_ > kWarpThreads ? ir::BarrierScope::kBlock : ir::BarrierScope::kWarp); }

  static Status no_blocks_inside(const Stmt& body) {
    std::string inside;
    ir::walk(body, [&](const Stmt& s) {
      const auto* n = s.as<ir::For>();
      if (n != nullptr && ir::is_block_level(n->loop)) inside = n->var.name();
      return inside.empty();
    });
    if (inside.empty()) return Done{};
    return refuse("the grid loop '", inside, "' stands beside what is computed outside of it; compute that inside of all grid loops");
  }

  /// Threads of the block: what its largest tile statement has, in whole warps.
  Status count_threads(const Stmt& body, const Bounds& bounds) {
    Status out = Done{};
    const std::function<void(const Stmt&, Bounds)> visit = [&](const Stmt& s, Bounds inner) {
      if (!out.ok()) return;
      const auto* n = s.as<ir::For>();
      if (n != nullptr && ir::is_thread_level(n->loop)) {
        const auto shape = thread_shape(s, inner);
        spread_ = true;
        if (shape.ok()) threads_ = std::max(threads_, shape->count());
        if (shape.ok() && shape->count() > widest_.count()) widest_ = *shape;
        out = shape.ok() ? Status(Done{}) : Status(shape.refusal());
        return;
      }
      if (n != nullptr) ir::extend_bounds(s, inner);
      ir::for_each_child(s, [](const Expr&) {}, [&](const Stmt& x) { if (x) visit(x, inner); });
    };
    visit(body, bounds);
    TESSERA_TRY_DONE(out);
    threads_ = (threads_ + kWarpThreads - 1) / kWarpThreads * kWarpThreads;
    if (threads_ > kMostThreads) return refuse("a block would have ", threads_, " threads; it has at most ", kMostThreads);
    return Done{};
  }

  /// What reductions start from, by the buffer.
  void find_identities(const Stmt& body) {
    ir::walk(body, [&](const Stmt& s) {
      const auto* i = s.as<ir::Instance>();
      if (i == nullptr || i->phase != ir::Phase::kInit) return true;
      ir::walk(i->body, [&](const Stmt& x) {
        if (const auto* n = x.as<ir::Store>()) identities_[n->buffer->id] = n->value;
        return true;
      });
      return true;
    });
  }

  Stmt tile(const Stmt& s, const Bounds& bounds, bool in_loop) {
    if (const auto* n = s.as<ir::For>()) {
      if (ir::is_thread_level(n->loop)) return unit(s, bounds, in_loop);
      Bounds inner = bounds;
      ir::extend_bounds(s, inner);
      return make_stmt<ir::For>(n->var, n->min, n->extent, n->loop, tile(n->body, inner, true), n->notes);
    }
    if (const auto* n = s.as<ir::Instance>()) return tile(n->body, bounds, in_loop);
    if (is_alone(s)) return unit(s, bounds, in_loop);
    if (const auto* n = s.as<ir::Role>()) return in_last_block(barrier(), tile(n->body, bounds, false));
    if (const auto* n = s.as<ir::Barrier>(); n != nullptr && n->scope == ir::BarrierScope::kBlock) return barrier();
    return ir::map_children(
        s, [](const Expr& e) { return e; }, [&](const Stmt& x) { return x ? tile(x, bounds, in_loop) : x; });
  }

  /// A store, or an update that reads what it will store.
  static bool is_alone(const Stmt& s) { return s.as<ir::Store>() != nullptr || s.as<ir::LetStmt>() != nullptr; }

  Stmt unit(const Stmt& s, const Bounds& bounds, bool in_loop) {
    ThreadShape shape = thread_shape(s, bounds).or_throw();
    // Outside of loops over threads all of them run: thread 0 writes memory.
    if (is_alone(s)) shape.extents[0] = threads_;
    if (shape.fits(widest_)) shape = widest_;
    Unit unit(shape, *coordinates_, threads_, in_loop, identities_);
    const Stmt out = unit.run(s, bounds);
    if (!unit.refusal.empty() && refusal_.empty()) refusal_ = unit.refusal;
    return out;
  }

  /// A kernel without loops over threads runs on one, which waits for nobody.
  Stmt of_one_thread(const Stmt& s) const {
    if (const auto* n = s.as<ir::Instance>()) return of_one_thread(n->body);
    if (const auto* n = s.as<ir::Role>()) return in_last_block(ir::block({}), of_one_thread(n->body));
    if (s.as<ir::Barrier>() != nullptr) return ir::block({});
    return ir::map_children(
        s, [](const Expr& e) { return e; }, [&](const Stmt& x) { return x ? of_one_thread(x) : x; });
  }

  bool spread_ = false;  // there are loops over threads
  std::int64_t threads_ = 1, block_count_ = 1;
  ThreadShape widest_;  // of the statements with most threads
  Coordinates* coordinates_ = nullptr;
  std::map<std::uint64_t, Expr> identities_;
  std::string refusal_;
};

}  // namespace

Result<ir::Program> bind_threads(const ir::Program& program, const Options&) {
  return map_functions(program, [](const Stmt& s) { return Binder().run(s); });
}

}  // namespace tessera::lower
