#include "lower/detail/join_threads.h"

#include <bit>

#include "ir/analysis/accesses.h"
#include "ir/rewrite.h"

namespace tessera::lower {

using ir::Buffer;
using ir::Expr;
using ir::Exprs;
using ir::ForKind;
using ir::int_imm;
using ir::make_stmt;
using ir::Stmt;
using ir::Stmts;
using ir::Var;

namespace {

/// The outermost let that reads what it will write: where the update begins. The last one, as stages that are
/// computed inside of the loop stand before it.
Stmt find_update(const Stmt& s) {
  if (const auto* n = s.as<ir::LetStmt>(); n != nullptr && n->value.as<ir::Load>() != nullptr) return s;
  Stmt out;
  ir::for_each_child(
      s, [](const Expr&) {},
      [&](const Stmt& x) {
        const Stmt found = x ? find_update(x) : x;
        if (found) out = found;
      });
  return out;
}

bool contains(const Stmt& s, const Stmt& inner) {
  bool found = false;
  ir::walk(s, [&](const Stmt& x) {
    found |= x.same_as(inner);
    return !found;
  });
  return found;
}

/// Levels of the loops over threads around `update`, from `loop` on. Those of another reduction cannot stand there.
Result<std::set<ForKind>> levels_around(const Stmt& update, const ir::For& loop) {
  std::set<ForKind> out{loop.loop};
  std::string other;
  ir::walk(loop.body, [&](const Stmt& s) {
    const auto* n = s.as<ir::For>();
    if (n == nullptr || !is_join(*n)) return true;
    if (contains(n->body, update)) out.insert(n->loop);
    else other = n->var.name();
    return true;
  });
  if (other.empty()) return out;
  return refuse("threads share the reduction over '", other, "', which is computed inside of the reduction over '", loop.var.name(),
                "' that they share, too; compute it outside of that loop, or reduce it in one thread");
}

}  // namespace

bool is_join(const ir::For& n) { return ir::is_thread_level(n.loop) && n.notes.count("reduce") != 0; }

Result<JoinUpdate> join_update(const ir::For& loop) {
  JoinUpdate out;
  Stmt s = find_update(loop.body);
  const auto unknown = [] { return refuse("a reduction over threads has a body that is no update of a reduction"); };
  if (!s) return unknown();
  TESSERA_TRY(levels, levels_around(s, loop));
  out.levels = levels;
  std::vector<const ir::Load*> reads;
  while (const auto* old = s.as<ir::LetStmt>()) {
    const auto* load = old->value.as<ir::Load>();
    const auto* fresh = old->body.as<ir::LetStmt>();
    if (load == nullptr || fresh == nullptr) break;
    reads.push_back(load);
    out.old_vars.push_back(old->var);
    for (const Var& v : out.old_vars) {
      // Simplified away: what follows is the outcome already.
      if (!ir::uses_var(fresh->value, v.id())) continue;
      return refuse("threads share the reduction into '", load->buffer->name, "', whose value is a loop variable or a constant alone; cast it, or reduce it in one thread");
    }
    out.new_vars.push_back(fresh->var);
    s = fresh->body;
  }
  out.tail = s;
  const std::set<std::uint64_t> stored = ir::stored_buffers(s);
  for (const ir::Load* load : reads) {
    if (stored.count(load->buffer->id) == 0) return unknown();
    out.results.emplace_back(load->buffer);
    out.at.push_back(load->indices);
  }
  if (reads.size() != stored.size()) return unknown();
  return out;
}

Stmt JoinUpdate::with(const std::vector<Buffer>& old, const std::vector<Exprs>& old_at, const Exprs& fresh) const {
  std::map<std::uint64_t, std::size_t> position;
  for (std::size_t i = 0; i < results.size(); ++i) position[results[i]->id] = i;
  const ir::ExprFn keep = [](const Expr& e) { return e; };
  const ir::StmtFn moved = [&](const Stmt& s) -> Stmt {
    const auto* n = s.as<ir::Store>();
    if (n == nullptr) return ir::map_children(s, keep, moved);
    const std::size_t i = position.at(n->buffer->id);
    return make_stmt<ir::Store>(old[i], old_at[i], n->value);
  };
  // Fresh names: the tail is used more than once.
  ir::VarMap names;
  std::vector<Var> before, after;
  for (std::size_t i = 0; i < results.size(); ++i) {
    before.push_back(Var::fresh(old_vars[i].name(), old_vars[i].type()));
    after.push_back(Var::fresh(new_vars[i].name(), new_vars[i].type()));
    names[old_vars[i].id()] = before[i];
    names[new_vars[i].id()] = after[i];
  }
  Stmt out = ir::substitute(moved(tail), names);
  for (std::size_t i = results.size(); i-- > 0;) {
    out = make_stmt<ir::LetStmt>(before[i], old[i].load(old_at[i]), make_stmt<ir::LetStmt>(after[i], fresh[i], std::move(out)));
  }
  return out;
}

namespace {

/// Of the threads x, y, z that share a result: how many they are. Refuses others between them.
Result<std::int64_t> neighbours(const ThreadShape& shape, const std::set<ForKind>& levels) {
  std::int64_t out = 1;
  bool others = false;
  for (const ForKind level : {ForKind::kThreadX, ForKind::kThreadY, ForKind::kThreadZ}) {
    const std::int64_t n = shape.extent(level);
    if (n == 1) continue;
    if (levels.count(level) == 0) {
      others = true;
    } else if (others) {
      return refuse("a reduction is bound to ", ir::to_string(level), " and a loop over data to a level below; threads that share a result are neighbours, bind the reduction to thread.x or lane");
    } else {
      out *= n;
    }
  }
  return out;
}

}  // namespace

Result<JoinGroup> join_group(const ThreadShape& shape, const std::set<ForKind>& levels, std::int64_t threads, Coordinates& coordinates) {
  if (shape.warps > 0) {
    const bool lanes = levels.count(ForKind::kLane) != 0, warps = levels.count(ForKind::kWarp) != 0;
    if (warps && !lanes) return refuse("a reduction is bound to warp and not to lane; threads that share a result are neighbours, bind it to lane, too, or to thread.x");
    // All lanes meet, also those past the end of the loop: any of them may read the result.
    return JoinGroup{lanes ? kWarpThreads : 1, warps ? shape.warps : 1, int_imm(0)};
  }
  TESSERA_TRY(n, neighbours(shape, levels));
  const bool alone = shape.count() == n;
  if (n <= kWarpThreads) {
    const auto power = static_cast<std::int64_t>(std::bit_ceil(static_cast<std::uint64_t>(n)));
    if (!alone && power != n) return refuse("a reduction over ", n, " threads beside others does not lie whole in warps; use a power of two");
    return JoinGroup{power, 1, {}};
  }
  if (!alone && n % kWarpThreads != 0) return refuse("a reduction over ", n, " threads beside others does not lie whole in warps; use a multiple of 32");
  const Expr thread(coordinates.thread());
  Expr first = alone ? int_imm(0) : ir::floordiv(thread, int_imm(n)) * int_imm(n / kWarpThreads);
  // Threads that the statement has no work for have no group.
  if (!alone && shape.count() < threads) first = ir::select(thread < int_imm(shape.count()), first, int_imm(0));
  return JoinGroup{kWarpThreads, (n + kWarpThreads - 1) / kWarpThreads, first};
}

Stmt joined(const JoinUpdate& update, const std::vector<Buffer>& partial, const JoinGroup& group, std::int64_t threads, bool again,
            const Var& thread) {
  const std::vector<Exprs> first(partial.size(), Exprs{int_imm(0)});
  std::vector<Buffer> other;
  for (const Buffer& p : partial) other.push_back(Buffer::fresh(p->name + ".other", p->dtype, {int_imm(1)}, ir::Scope::kRegister));
  const auto loads = [&](const std::vector<Buffer>& from, const Expr& at) {
    Exprs out;
    for (const Buffer& b : from) out.push_back(b.load({at}));
    return out;
  };
  Stmts out;
  for (std::int64_t distance = group.lanes / 2; distance > 0; distance /= 2) {
    for (std::size_t i = 0; i < partial.size(); ++i) {
      const auto one = [](const Buffer& b) { return ir::Region{b, {int_imm(0)}, {int_imm(1)}}; };
      out.push_back(make_stmt<ir::TileOp>("shuffle_xor." + std::to_string(distance), std::vector<ir::Region>{one(other[i]), one(partial[i])}));
    }
    out.push_back(update.with(partial, first, loads(other, int_imm(0))));
  }
  std::vector<Buffer> scratch;
  if (group.warps > 1) {
    const std::int64_t warps = (threads + kWarpThreads - 1) / kWarpThreads;
    for (const Buffer& p : partial) scratch.push_back(Buffer::fresh(p->name + ".warps", p->dtype, {int_imm(warps)}, ir::Scope::kShared));
    if (again) out.push_back(make_stmt<ir::Barrier>(ir::BarrierScope::kBlock));
    Stmts give;
    for (std::size_t i = 0; i < partial.size(); ++i) {
      give.push_back(make_stmt<ir::Store>(scratch[i], Exprs{ir::floordiv(Expr(thread), int_imm(kWarpThreads))}, partial[i].load({int_imm(0)})));
    }
    out.push_back(make_stmt<ir::IfThenElse>(ir::floormod(Expr(thread), int_imm(kWarpThreads)) == int_imm(0), ir::block(std::move(give))));
    out.push_back(make_stmt<ir::Barrier>(ir::BarrierScope::kBlock));
    for (std::size_t i = 0; i < partial.size(); ++i) out.push_back(make_stmt<ir::Store>(partial[i], first[i], scratch[i].load({group.first_warp})));
    const Var w = Var::fresh("w");
    out.push_back(make_stmt<ir::For>(w, int_imm(0), int_imm(group.warps - 1), ir::ForKind::kSerial,
                                     update.with(partial, first, loads(scratch, group.first_warp + w + 1))));
  }
  Stmt all = ir::block(std::move(out));
  for (const Buffer& b : other) all = make_stmt<ir::Allocate>(b, all);
  for (const Buffer& b : scratch) all = make_stmt<ir::Allocate>(b, all);
  return all;
}

}  // namespace tessera::lower
