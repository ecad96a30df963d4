#include "lower/passes/bind_threads.h"

#include <algorithm>

#include "ir/analysis/loops.h"
#include "ir/rewrite.h"
#include "ir/simplify.h"
#include "lower/detail/bind_unit.h"
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
    find_identities(body);
    Stmt out = spread_ ? tile(body, bounds, false) : by_first(of_one_thread(body));
    if (!refusal_.empty()) return Refusal{refusal_};
    const std::vector<Coordinate>& coordinates = kernel_.coordinates.all();
    for (auto it = coordinates.rbegin(); it != coordinates.rend(); ++it) out = make_stmt<ir::LetStmt>(it->var, it->value, std::move(out));
    out = make_stmt<ir::For>(kernel_.coordinates.thread(), int_imm(0), int_imm(kernel_.count), ForKind::kThreadX, std::move(out));
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
    return make_stmt<ir::Allocate>(ticket, ir::block({meet, by_first(draw), meet, make_stmt<ir::IfThenElse>(last, std::move(body))}));
  }

  Stmt by_first(Stmt s) const { return make_stmt<ir::IfThenElse>(Expr(kernel_.coordinates.thread()) == int_imm(0), std::move(s)); }

  Stmt barrier() const { return make_stmt<ir::Barrier>(kernel_.count > kWarpThreads ? ir::BarrierScope::kBlock : ir::BarrierScope::kWarp); }

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
        if (shape.ok()) kernel_.count = std::max(kernel_.count, shape->count());
        if (shape.ok() && shape->count() > widest_.count()) widest_ = *shape;
        out = shape.ok() ? Status(Done{}) : Status(shape.refusal());
        return;
      }
      if (n != nullptr) ir::extend_bounds(s, inner);
      ir::for_each_child(s, [](const Expr&) {}, [&](const Stmt& x) { if (x) visit(x, inner); });
    };
    visit(body, bounds);
    TESSERA_TRY_DONE(out);
    kernel_.count = (kernel_.count + kWarpThreads - 1) / kWarpThreads * kWarpThreads;
    if (kernel_.count > kMostThreads) return refuse("a block would have ", kernel_.count, " threads; it has at most ", kMostThreads);
    return Done{};
  }

  /// What reductions start from, by the buffer.
  void find_identities(const Stmt& body) {
    ir::walk(body, [&](const Stmt& s) {
      const auto* i = s.as<ir::Instance>();
      if (i == nullptr || i->phase != ir::Phase::kInit) return true;
      ir::walk(i->body, [&](const Stmt& x) {
        if (const auto* n = x.as<ir::Store>()) kernel_.identities[n->buffer->id] = n->value;
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
    if (is_alone(s)) shape.extents[0] = kernel_.count;
    if (shape.fits(widest_)) shape = widest_;
    const auto out = bind_unit(s, shape, kernel_, bounds, in_loop);
    if (out.ok()) return *out;
    if (refusal_.empty()) refusal_ = out.reason();
    return s;
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
  std::int64_t block_count_ = 1;
  ThreadShape widest_;  // of the statements with most threads
  KernelThreads kernel_{Coordinates(Var::fresh("thread"))};
  std::string refusal_;
};

}  // namespace

Result<ir::Program> bind_threads(const ir::Program& program, const Options&) {
  return map_functions(program, [](const Stmt& s) { return Binder().run(s); });
}

}  // namespace tessera::lower
