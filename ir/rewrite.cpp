#include "ir/rewrite.h"

#include <set>

namespace tessera::ir {

namespace {

/// Applies f to each element; true when one changed.
bool map_all(const Exprs& in, const ExprFn& f, Exprs& out) {
  bool changed = false;
  out.reserve(in.size());
  for (const Expr& e : in) {
    out.push_back(f(e));
    changed |= !out.back().same_as(e);
  }
  return changed;
}

Expr map_opt(const Expr& e, const ExprFn& f) { return e.defined() ? f(e) : e; }

template <class N>
Expr map_three(const N& n, const Expr& e, const ExprFn& f) {
  const Expr c = f(n.condition), y = f(n.yes), no = f(n.no);
  if (c.same_as(n.condition) && y.same_as(n.yes) && no.same_as(n.no)) return e;
  if constexpr (std::is_same_v<N, Select>) {
    return select(c, y, no);
  } else {
    return if_then_else(c, y, no);
  }
}

Expr map_reduce(const Reduce& n, const Expr& e, const ExprFn& f) {
  Exprs sources;
  bool changed = map_all(n.sources, f, sources);
  std::vector<ReduceAxis> axes = n.axes;
  for (ReduceAxis& a : axes) {
    const Expr x = f(a.extent);
    changed |= !x.same_as(a.extent);
    a.extent = x;
  }
  return changed ? make<Reduce>(n.combiner, std::move(sources), std::move(axes), n.index) : e;
}

Expr map_load(const Load& n, const Expr& e, const ExprFn& f) {
  Exprs indices;
  const bool changed = map_all(n.indices, f, indices);
  const Expr p = map_opt(n.predicate, f);
  if (!changed && p.same_as(n.predicate)) return e;
  int lanes = n.type.lanes;
  for (const Expr& i : indices) lanes = std::max<int>(lanes, i.type().lanes);
  for (Expr& i : indices) {
    if (lanes > 1 && n.indices.size() == 1) i = broadcast(i, lanes);
  }
  return make<Load>(Buffer(n.buffer), std::move(indices), p, lanes);
}

bool map_region(const Region& r, const ExprFn& f, Region& out) {
  out.buffer = r.buffer;
  const bool a = map_all(r.min, f, out.min);
  return map_all(r.extent, f, out.extent) || a;
}

}  // namespace

Expr map_children(const Expr& e, const ExprFn& f) {
  if (const Binary* n = as_binary(e)) {
    const Expr a = f(n->a), b = f(n->b);
    return a.same_as(n->a) && b.same_as(n->b) ? e : make_binary(e->kind, a, b);
  }
  switch (e->kind) {
    case ExprKind::kIntImm:
    case ExprKind::kFloatImm:
    case ExprKind::kVar:
      return e;
    case ExprKind::kCast: {
      const auto* n = e.as<Cast>();
      const Expr v = f(n->value);
      if (v.same_as(n->value)) return e;
      switch (n->mode) {
        case CastMode::kWrap: return cast(n->type, v);
        case CastMode::kSaturate: return saturating_cast(n->type, v);
        case CastMode::kRound: return rounding_cast(n->type, v);
      }
      return e;
    }
    case ExprKind::kReinterpret: {
      const auto* n = e.as<Reinterpret>();
      const Expr v = f(n->value);
      return v.same_as(n->value) ? e : reinterpret(n->type, v);
    }
    case ExprKind::kNot: {
      const auto* n = e.as<Not>();
      const Expr v = f(n->a);
      return v.same_as(n->a) ? e : !v;
    }
    case ExprKind::kSelect: return map_three(*e.as<Select>(), e, f);
    case ExprKind::kIfThenElseExpr: return map_three(*e.as<IfThenElseExpr>(), e, f);
    case ExprKind::kRamp: {
      const auto* n = e.as<Ramp>();
      const Expr b = f(n->base), s = f(n->stride);
      return b.same_as(n->base) && s.same_as(n->stride) ? e : ramp(b, s, n->type.lanes);
    }
    case ExprKind::kBroadcast: {
      const auto* n = e.as<Broadcast>();
      const Expr v = f(n->value);
      return v.same_as(n->value) ? e : broadcast(v, n->type.lanes);
    }
    case ExprKind::kShuffle: {
      const auto* n = e.as<Shuffle>();
      Exprs v;
      return map_all(n->vectors, f, v) ? make<Shuffle>(std::move(v), n->indices) : e;
    }
    case ExprKind::kVectorReduce: {
      const auto* n = e.as<VectorReduce>();
      const Expr v = f(n->value);
      return v.same_as(n->value) ? e : make<VectorReduce>(n->op, v, n->type.lanes);
    }
    case ExprKind::kLet: {
      const auto* n = e.as<Let>();
      const Expr v = f(n->value), b = f(n->body);
      return v.same_as(n->value) && b.same_as(n->body) ? e : make<Let>(n->var, v, b);
    }
    case ExprKind::kCall: {
      const auto* n = e.as<Call>();
      Exprs args;
      if (!map_all(n->args, f, args)) return e;
      const Type t = n->type.element().with_lanes(args[0].type().lanes);
      return make<Call>(t, n->intrinsic, std::move(args));
    }
    case ExprKind::kLoad: return map_load(*e.as<Load>(), e, f);
    case ExprKind::kReduce: return map_reduce(*e.as<Reduce>(), e, f);
    default: TESSERA_UNREACHABLE();
  }
}

Stmt map_children(const Stmt& s, const ExprFn& fe_, const StmtFn& fs) {
  const ExprFn fe = [&](const Expr& e) { return e.defined() ? fe_(e) : e; };
  switch (s->kind) {
    case StmtKind::kBlock: {
      const auto* n = s.as<Block>();
      Stmts out;
      bool changed = false;
      for (const Stmt& x : n->stmts) {
        out.push_back(fs(x));
        changed |= !out.back().same_as(x);
      }
      return changed ? block(std::move(out)) : s;
    }
    case StmtKind::kFor: {
      const auto* n = s.as<For>();
      const Expr lo = fe(n->min), ext = fe(n->extent);
      const Stmt body = fs(n->body);
      if (lo.same_as(n->min) && ext.same_as(n->extent) && body.same_as(n->body)) return s;
      return make_stmt<For>(n->var, lo, ext, n->loop, body, n->notes);
    }
    case StmtKind::kStore: {
      const auto* n = s.as<Store>();
      Exprs idx;
      const bool changed = map_all(n->indices, fe, idx);
      const Expr v = fe(n->value), p = fe(n->predicate);
      if (!changed && v.same_as(n->value) && p.same_as(n->predicate)) return s;
      return make_stmt<Store>(n->buffer, std::move(idx), v, p, n->streaming);
    }
    case StmtKind::kAllocate: {
      const auto* n = s.as<Allocate>();
      const Stmt b = fs(n->body);
      return b.same_as(n->body) ? s : make_stmt<Allocate>(n->buffer, b);
    }
    case StmtKind::kIfThenElse: {
      const auto* n = s.as<IfThenElse>();
      const Expr c = fe(n->condition);
      const Stmt y = fs(n->yes), no = n->no ? fs(n->no) : n->no;
      if (c.same_as(n->condition) && y.same_as(n->yes) && no.same_as(n->no)) return s;
      return make_stmt<IfThenElse>(c, y, no);
    }
    case StmtKind::kLetStmt: {
      const auto* n = s.as<LetStmt>();
      const Expr v = fe(n->value);
      const Stmt b = fs(n->body);
      return v.same_as(n->value) && b.same_as(n->body) ? s : make_stmt<LetStmt>(n->var, v, b);
    }
    case StmtKind::kEvaluate: {
      const auto* n = s.as<Evaluate>();
      const Expr v = fe(n->value);
      return v.same_as(n->value) ? s : make_stmt<Evaluate>(v);
    }
    case StmtKind::kAssert: {
      const auto* n = s.as<Assert>();
      const Expr c = fe(n->condition);
      return c.same_as(n->condition) ? s : make_stmt<Assert>(c, n->message);
    }
    case StmtKind::kInstance: {
      const auto* n = s.as<Instance>();
      Exprs c;
      const bool changed = map_all(n->coordinates, fe, c);
      const Stmt b = fs(n->body);
      if (!changed && b.same_as(n->body)) return s;
      return make_stmt<Instance>(n->stage, n->phase, std::move(c), b);
    }
    case StmtKind::kCallFunction: {
      const auto* n = s.as<CallFunction>();
      Exprs x;
      return map_all(n->scalars, fe, x) ? make_stmt<CallFunction>(n->function, n->buffers, std::move(x)) : s;
    }
    case StmtKind::kPrefetch: {
      const auto* n = s.as<Prefetch>();
      Exprs idx;
      return map_all(n->indices, fe, idx) ? make_stmt<Prefetch>(n->buffer, std::move(idx), n->locality, n->write) : s;
    }
    case StmtKind::kCopy: {
      const auto* n = s.as<Copy>();
      Region t, src;
      const bool a = map_region(n->target, fe, t), b = map_region(n->source, fe, src);
      return a || b ? make_stmt<Copy>(t, src, n->mode) : s;
    }
    case StmtKind::kTileOp: {
      const auto* n = s.as<TileOp>();
      std::vector<Region> rs(n->regions.size());
      bool changed = false;
      for (std::size_t i = 0; i < rs.size(); ++i) changed |= map_region(n->regions[i], fe, rs[i]);
      return changed ? make_stmt<TileOp>(n->intrinsic, std::move(rs)) : s;
    }
    case StmtKind::kChannelOp: {
      const auto* n = s.as<ChannelOp>();
      const Expr slot = fe(n->slot);
      return slot.same_as(n->slot) ? s : make_stmt<ChannelOp>(n->channel, n->action, slot);
    }
    case StmtKind::kRole: {
      const auto* n = s.as<Role>();
      const Stmt b = fs(n->body);
      return b.same_as(n->body) ? s : make_stmt<Role>(n->name, b);
    }
    case StmtKind::kBarrier: return s;
    case StmtKind::kAtomic: {
      const auto* n = s.as<Atomic>();
      Exprs idx;
      const bool changed = map_all(n->indices, fe, idx);
      const Expr v = fe(n->value);
      return changed || !v.same_as(n->value) ? make_stmt<Atomic>(n->op, n->buffer, std::move(idx), v) : s;
    }
  }
  TESSERA_UNREACHABLE();
}

void for_each_child(const Expr& e, const std::function<void(const Expr&)>& f) {
  if (const Binary* n = as_binary(e)) {
    f(n->a);
    f(n->b);
    return;
  }
  const auto all = [&](const Exprs& es) {
    for (const Expr& x : es) f(x);
  };
  switch (e->kind) {
    case ExprKind::kIntImm:
    case ExprKind::kFloatImm:
    case ExprKind::kVar: return;
    case ExprKind::kCast: return f(e.as<Cast>()->value);
    case ExprKind::kReinterpret: return f(e.as<Reinterpret>()->value);
    case ExprKind::kNot: return f(e.as<Not>()->a);
    case ExprKind::kSelect: {
      const auto* n = e.as<Select>();
      return f(n->condition), f(n->yes), f(n->no);
    }
    case ExprKind::kIfThenElseExpr: {
      const auto* n = e.as<IfThenElseExpr>();
      return f(n->condition), f(n->yes), f(n->no);
    }
    case ExprKind::kRamp: return f(e.as<Ramp>()->base), f(e.as<Ramp>()->stride);
    case ExprKind::kBroadcast: return f(e.as<Broadcast>()->value);
    case ExprKind::kShuffle: return all(e.as<Shuffle>()->vectors);
    case ExprKind::kVectorReduce: return f(e.as<VectorReduce>()->value);
    case ExprKind::kLet: return f(e.as<Let>()->value), f(e.as<Let>()->body);
    case ExprKind::kCall: return all(e.as<Call>()->args);
    case ExprKind::kLoad: {
      const auto* n = e.as<Load>();
      all(n->indices);
      if (n->predicate.defined()) f(n->predicate);
      return;
    }
    case ExprKind::kReduce: {
      const auto* n = e.as<Reduce>();
      all(n->sources);
      for (const ReduceAxis& a : n->axes) f(a.extent);
      return;
    }
    default: TESSERA_UNREACHABLE();
  }
}

void for_each_child(const Stmt& s, const std::function<void(const Expr&)>& fe,
                    const std::function<void(const Stmt&)>& fs) {
  // map_children visits exactly the children; an identity map rebuilds nothing.
  map_children(
      s,
      [&](const Expr& e) {
        if (fe) fe(e);
        return e;
      },
      [&](const Stmt& x) {
        if (x) fs(x);
        return x;
      });
}

void walk(const Expr& e, const std::function<bool(const Expr&)>& f) {
  if (!e.defined() || !f(e)) return;
  for_each_child(e, [&](const Expr& c) { walk(c, f); });
}

void walk(const Stmt& s, const std::function<bool(const Stmt&)>& fs, const std::function<bool(const Expr&)>& fe) {
  if (!s || (fs && !fs(s))) return;
  for_each_child(
      s,
      [&](const Expr& e) {
        if (fe) walk(e, fe);
      },
      [&](const Stmt& x) { walk(x, fs, fe); });
}

namespace {

struct Substitute : Rewriter<Substitute> {
  const VarMap& with;
  explicit Substitute(const VarMap& w) : with(w) {}
  Expr expr(const Expr& e) {
    if (const auto* v = e.as<VarNode>()) {
      const auto it = with.find(v->id);
      return it == with.end() ? e : it->second;
    }
    return rebuild(e);
  }
};

}  // namespace

Expr substitute(const Expr& e, const VarMap& with) {
  if (!e.defined() || with.empty()) return e;
  Substitute s(with);
  return s.expr(e);
}

Stmt substitute(const Stmt& s, const VarMap& with) {
  if (!s || with.empty()) return s;
  Substitute pass(with);
  return pass.stmt(s);
}

Expr substitute(const Expr& e, const Var& var, const Expr& with) { return substitute(e, VarMap{{var.id(), with}}); }
Stmt substitute(const Stmt& s, const Var& var, const Expr& with) { return substitute(s, VarMap{{var.id(), with}}); }

namespace {

struct ReplaceBuffers : Rewriter<ReplaceBuffers> {
  const std::map<std::uint64_t, Buffer>& with;
  explicit ReplaceBuffers(const std::map<std::uint64_t, Buffer>& w) : with(w) {}

  Buffer of(const Buffer& b) const {
    const auto it = with.find(b->id);
    return it == with.end() ? b : it->second;
  }
  Region of(Region r) const {
    r.buffer = of(r.buffer);
    return r;
  }
  Expr expr(const Expr& e) {
    const Expr r = rebuild(e);
    const auto* l = r.as<Load>();
    if (l == nullptr || with.count(l->buffer->id) == 0) return r;
    return make<Load>(with.at(l->buffer->id), l->indices, l->predicate, l->type.lanes);
  }
  Stmt stmt(const Stmt& s) {
    const Stmt r = rebuild(s);
    if (const auto* n = r.as<Store>()) return make_stmt<Store>(of(n->buffer), n->indices, n->value, n->predicate, n->streaming);
    if (const auto* n = r.as<Allocate>()) return make_stmt<Allocate>(of(n->buffer), n->body);
    if (const auto* n = r.as<Prefetch>()) return make_stmt<Prefetch>(of(n->buffer), n->indices, n->locality, n->write);
    if (const auto* n = r.as<Copy>()) return make_stmt<Copy>(of(n->target), of(n->source), n->mode);
    if (const auto* n = r.as<Atomic>()) return make_stmt<Atomic>(n->op, of(n->buffer), n->indices, n->value);
    if (const auto* n = r.as<TileOp>()) {
      std::vector<Region> regions;
      for (const Region& x : n->regions) regions.push_back(of(x));
      return make_stmt<TileOp>(n->intrinsic, std::move(regions));
    }
    if (const auto* n = r.as<CallFunction>()) {
      std::vector<Buffer> buffers;
      for (const Buffer& b : n->buffers) buffers.push_back(of(b));
      return make_stmt<CallFunction>(n->function, std::move(buffers), n->scalars);
    }
    return r;
  }
};

}  // namespace

Expr replace_buffers(const Expr& e, const std::map<std::uint64_t, Buffer>& with) {
  if (with.empty()) return e;
  ReplaceBuffers pass(with);
  return pass.expr(e);
}

Stmt replace_buffers(const Stmt& s, const std::map<std::uint64_t, Buffer>& with) {
  if (with.empty()) return s;
  ReplaceBuffers pass(with);
  return pass.stmt(s);
}

Stmt rewrite_exprs(const Stmt& s, const ExprFn& f) {
  return map_children(
      s, f, [&](const Stmt& x) { return x ? rewrite_exprs(x, f) : x; });
}

bool uses_var(const Expr& e, VarId id) {
  bool found = false;
  walk(e, [&](const Expr& x) {
    const auto* v = x.as<VarNode>();
    found |= v != nullptr && v->id == id;
    return !found;
  });
  return found;
}

std::vector<Var> free_vars(const Expr& e) {
  std::vector<Var> out;
  std::set<VarId> seen;
  walk(e, [&](const Expr& x) {
    const auto* v = x.as<VarNode>();
    if (v != nullptr && seen.insert(v->id).second) out.push_back(Var(v));
    return true;
  });
  return out;
}

}  // namespace tessera::ir
