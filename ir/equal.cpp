// Structural equality and hashes of trees, by identity of names or up to renaming.
//
// Both read a node through `Parts`, one description of what it holds, so a kind is described once.
#include <bit>
#include <unordered_map>
#include <unordered_set>

#include "ir/program.h"
#include "ir/rewrite.h"

namespace tessera::ir {

namespace {

/// Everything one node holds, its children not opened. Expressions may be undefined, statements
/// empty.
struct Parts {
  Exprs exprs;  // bound variables come as expressions, before what they are bound in
  Stmts stmts;
  std::vector<Buffer> buffers;
  std::vector<std::uint64_t> numbers;
  std::vector<std::string> words;

  template <class T>
  Parts& number(T v) {
    numbers.push_back(static_cast<std::uint64_t>(v));
    return *this;
  }
  Parts& all(const Exprs& es) {
    number(es.size());
    exprs.insert(exprs.end(), es.begin(), es.end());
    return *this;
  }
  Parts& all(const std::vector<Var>& vs) {
    number(vs.size());
    exprs.insert(exprs.end(), vs.begin(), vs.end());
    return *this;
  }
  Parts& region(const Region& r) {
    buffers.push_back(r.buffer);
    return all(r.min).all(r.extent);
  }
};

/// Of any kind but Var, which is a name and not a structure.
Parts parts_of(const Expr& e) {
  Parts p;
  p.number(e->kind).number(e.type().hash());
  if (const Binary* n = as_binary(e)) {
    p.exprs = {n->a, n->b};
    return p;
  }
  switch (e->kind) {
    case ExprKind::kIntImm:
      p.number(e.as<IntImm>()->value);
      break;
    case ExprKind::kFloatImm:
      p.number(std::bit_cast<std::uint64_t>(e.as<FloatImm>()->value));
      break;
    case ExprKind::kCast:
      p.number(e.as<Cast>()->mode).exprs = {e.as<Cast>()->value};
      break;
    case ExprKind::kReinterpret:
      p.exprs = {e.as<Reinterpret>()->value};
      break;
    case ExprKind::kNot:
      p.exprs = {e.as<Not>()->a};
      break;
    case ExprKind::kSelect: {
      const auto* n = e.as<Select>();
      p.exprs = {n->condition, n->yes, n->no};
      break;
    }
    case ExprKind::kIfThenElseExpr: {
      const auto* n = e.as<IfThenElseExpr>();
      p.exprs = {n->condition, n->yes, n->no};
      break;
    }
    case ExprKind::kRamp:
      p.exprs = {e.as<Ramp>()->base, e.as<Ramp>()->stride};
      break;
    case ExprKind::kBroadcast:
      p.exprs = {e.as<Broadcast>()->value};
      break;
    case ExprKind::kShuffle:
      p.exprs = e.as<Shuffle>()->vectors;
      for (const int i : e.as<Shuffle>()->indices) p.number(i);
      break;
    case ExprKind::kVectorReduce:
      p.number(e.as<VectorReduce>()->op).exprs = {e.as<VectorReduce>()->value};
      break;
    case ExprKind::kLet:
      p.exprs = {e.as<Let>()->var, e.as<Let>()->value, e.as<Let>()->body};
      break;
    case ExprKind::kCall:
      p.number(e.as<Call>()->intrinsic).all(e.as<Call>()->args);
      break;
    case ExprKind::kLoad: {
      const auto* n = e.as<Load>();
      p.buffers = {Buffer(n->buffer)};
      p.all(n->indices).exprs.push_back(n->predicate);
      break;
    }
    case ExprKind::kReduce: {
      const auto* n = e.as<Reduce>();
      p.number(n->combiner->op).number(n->index);
      for (const ReduceAxis& a : n->axes) {
        p.exprs.push_back(a.var);
        p.exprs.push_back(a.extent);
      }
      p.all(n->sources);
      break;
    }
    default:
      TESSERA_UNREACHABLE();
  }
  return p;
}

Parts parts_of(const Stmt& s) {
  Parts p;
  p.number(s->kind);
  switch (s->kind) {
    case StmtKind::kBlock:
      p.stmts = s.as<Block>()->stmts;
      break;
    case StmtKind::kFor: {
      const auto* n = s.as<For>();
      p.number(n->loop).exprs = {n->var, n->min, n->extent};
      p.stmts = {n->body};
      for (const auto& [key, value] : n->notes) {
        p.words.push_back(key);
        p.number(value);
      }
      break;
    }
    case StmtKind::kStore: {
      const auto* n = s.as<Store>();
      p.number(n->streaming).all(n->indices).buffers = {n->buffer};
      p.exprs.push_back(n->value);
      p.exprs.push_back(n->predicate);
      break;
    }
    case StmtKind::kAllocate:
      p.buffers = {s.as<Allocate>()->buffer};
      p.stmts = {s.as<Allocate>()->body};
      break;
    case StmtKind::kIfThenElse: {
      const auto* n = s.as<IfThenElse>();
      p.exprs = {n->condition};
      p.stmts = {n->yes, n->no};
      break;
    }
    case StmtKind::kLetStmt: {
      const auto* n = s.as<LetStmt>();
      p.exprs = {n->var, n->value};
      p.stmts = {n->body};
      break;
    }
    case StmtKind::kEvaluate:
      p.exprs = {s.as<Evaluate>()->value};
      break;
    case StmtKind::kAssert:
      p.exprs = {s.as<Assert>()->condition};
      p.words = {s.as<Assert>()->message};
      break;
    case StmtKind::kInstance: {
      const auto* n = s.as<Instance>();
      p.number(n->phase).all(n->coordinates).words = {n->stage};
      p.stmts = {n->body};
      break;
    }
    case StmtKind::kCallFunction: {
      const auto* n = s.as<CallFunction>();
      p.words = {n->function};
      p.buffers = n->buffers;
      p.all(n->scalars);
      break;
    }
    case StmtKind::kPrefetch: {
      const auto* n = s.as<Prefetch>();
      p.number(n->locality).number(n->write).all(n->indices).buffers = {n->buffer};
      break;
    }
    case StmtKind::kCopy: {
      const auto* n = s.as<Copy>();
      p.region(n->target).region(n->source).words = {n->mode};
      break;
    }
    case StmtKind::kTileOp:
      p.words = {s.as<TileOp>()->intrinsic};
      for (const Region& r : s.as<TileOp>()->regions) p.region(r);
      break;
    case StmtKind::kChannelOp: {
      const auto* n = s.as<ChannelOp>();
      p.number(n->action).words = {n->channel};
      p.exprs = {n->slot};
      break;
    }
    case StmtKind::kRole:
      p.words = {s.as<Role>()->name};
      p.stmts = {s.as<Role>()->body};
      break;
    case StmtKind::kBarrier:
      p.number(s.as<Barrier>()->scope);
      break;
    case StmtKind::kAtomic: {
      const auto* n = s.as<Atomic>();
      p.buffers = {n->buffer};
      p.number(n->op).all(n->indices).exprs.push_back(n->value);
      break;
    }
  }
  return p;
}

/// The combiner of a user-defined reduction, nullptr for everything else. Its variables live in it
/// alone.
const CombinerNode* custom_combiner(const Expr& e) {
  const auto* n = e.as<Reduce>();
  return n != nullptr && n->combiner->op == ReduceOp::kCustom ? n->combiner.get() : nullptr;
}
const CombinerNode* custom_combiner(const Stmt&) { return nullptr; }

class Comparer {
 public:
  explicit Comparer(bool renaming) : renaming_(renaming) {}

  bool same(const Expr& a, const Expr& b) {
    if (!a.defined() || !b.defined()) return a.defined() == b.defined();
    if (!renaming_ && (a.same_as(b) || a.hash() != b.hash())) return a.same_as(b);
    if (a->kind != b->kind || a.type() != b.type()) return false;
    if (const auto* v = a.as<VarNode>())
      return renaming_ ? pair(v->id, b.as<VarNode>()->id, vars_) : v->id == b.as<VarNode>()->id;
    if (const Binary* x = as_binary(a); x != nullptr && a->uses == 1) {
      const Binary* y = as_binary(b);
      return same(x->a, y->a) && same(x->b, y->b);
    }
    return same_node(a, b);
  }

  bool same(const Stmt& a, const Stmt& b) {
    if (!a || !b) return static_cast<bool>(a) == static_cast<bool>(b);
    if (!renaming_ && (a.same_as(b) || a.hash() != b.hash())) return a.same_as(b);
    return a->kind == b->kind && same_node(a, b);
  }

  bool same(const Buffer& a, const Buffer& b) {
    if (!renaming_) return a == b;
    return pair(a->id, b->id, buffers_) && a->dtype == b->dtype && a->scope == b->scope &&
           a->layout == b->layout && a->alignment == b->alignment && same_all(a->shape, b->shape);
  }

  bool same(const Var& a, const Var& b) {
    return same(static_cast<const Expr&>(a), static_cast<const Expr&>(b));
  }

  template <class T>
  bool same_all(const std::vector<T>& a, const std::vector<T>& b) {
    if (a.size() != b.size()) return false;
    for (std::size_t i = 0; i < a.size(); ++i) {
      if (!same(a[i], b[i])) return false;
    }
    return true;
  }

 private:
  using Ids = std::unordered_map<std::uint64_t, std::uint64_t>;
  struct Pairing {
    Ids forward, backward;
  };

  /// Both directions must agree: two names of one side never share a name of the other.
  static bool pair(std::uint64_t a, std::uint64_t b, Pairing& p) {
    return p.forward.try_emplace(a, b).first->second == b &&
           p.backward.try_emplace(b, a).first->second == a;
  }

  bool same_combiner(const CombinerNode* a, const CombinerNode* b) {
    if (a == b) return true;
    Comparer own(renaming_);
    return own.same_all(a->lhs, b->lhs) && own.same_all(a->rhs, b->rhs) &&
           own.same_all(a->result, b->result) && own.same_all(a->identity, b->identity);
  }

  template <class Handle>
  bool same_node(const Handle& a, const Handle& b) {
    // Pairings only grow, so two nodes found equal stay equal: shared subtrees are walked once.
    const std::uint64_t key = hash_combine(std::bit_cast<std::uintptr_t>(a.get()),
                                           std::bit_cast<std::uintptr_t>(b.get()));
    if (done_.count(key) != 0) return true;
    const Parts x = parts_of(a), y = parts_of(b);
    if (x.numbers != y.numbers || x.words != y.words || !same_all(x.buffers, y.buffers) ||
        !same_all(x.exprs, y.exprs) || !same_all(x.stmts, y.stmts) ||
        !same_combiner(custom_combiner(a), custom_combiner(b))) {
      return false;
    }
    done_.insert(key);
    return true;
  }

  bool renaming_;
  Pairing vars_, buffers_;
  std::unordered_set<std::uint64_t> done_;
};

/// Variables and buffers are numbered in the order in which the walk meets them.
class AlphaHasher {
 public:
  std::uint64_t of(const Expr& e) {
    if (!e.defined()) return 1;
    if (const auto* v = e.as<VarNode>()) return hash_combine(number(v->id, vars_), e.type().hash());
    return of_node(e);
  }
  std::uint64_t of(const Stmt& s) { return s ? of_node(s) : 2; }
  std::uint64_t of(const Buffer& b) {
    std::uint64_t h = hash_combine(number(b->id, buffers_), b->dtype.hash());
    h = hash_combine(
        h, static_cast<std::uint64_t>(b->scope) * 4096 + static_cast<std::uint64_t>(b->alignment));
    if (!b.is_symbolic()) h = hash_combine(h, hash_bytes(b->layout.to_string()));
    for (const Expr& n : b->shape) h = hash_combine(h, of(n));
    return h;
  }

 private:
  using Numbers = std::unordered_map<std::uint64_t, std::uint64_t>;
  static std::uint64_t number(std::uint64_t id, Numbers& n) {
    return n.try_emplace(id, n.size()).first->second;
  }

  template <class Handle>
  std::uint64_t of_node(const Handle& node) {
    // The names inside are numbered by the first walk, so a second one would give the same hash.
    const auto known = done_.find(node.get());
    if (known != done_.end()) return known->second;
    const Parts p = parts_of(node);
    std::uint64_t h = 3;
    for (const std::uint64_t n : p.numbers) h = hash_combine(h, n);
    for (const std::string& w : p.words) h = hash_combine(h, hash_bytes(w));
    for (const Buffer& b : p.buffers) h = hash_combine(h, of(b));
    for (const Expr& e : p.exprs) h = hash_combine(h, of(e));
    for (const Stmt& s : p.stmts) h = hash_combine(h, of(s));
    if (const CombinerNode* c = custom_combiner(node)) {
      AlphaHasher own;
      for (const Var& v : c->lhs) h = hash_combine(h, own.of(v));
      for (const Var& v : c->rhs) h = hash_combine(h, own.of(v));
      for (const Expr& e : c->result) h = hash_combine(h, own.of(e));
      for (const Expr& e : c->identity) h = hash_combine(h, own.of(e));
    }
    done_.emplace(node.get(), h);
    return h;
  }

  Numbers vars_, buffers_;
  std::unordered_map<const void*, std::uint64_t> done_;
};

bool same_functions(Comparer& c, const Program& a, const Program& b) {
  if (a.functions.size() != b.functions.size()) return false;
  for (std::size_t i = 0; i < a.functions.size(); ++i) {
    const Function &x = a.functions[i], &y = b.functions[i];
    if (x.name != y.name || !c.same_all(x.buffers, y.buffers) ||
        !c.same_all(x.scalars, y.scalars) || !c.same(x.body, y.body)) {
      return false;
    }
  }
  return true;
}

}  // namespace

bool equal(const Expr& a, const Expr& b) { return Comparer(false).same(a, b); }
bool equal(const Stmt& a, const Stmt& b) { return Comparer(false).same(a, b); }
bool alpha_equal(const Expr& a, const Expr& b) { return Comparer(true).same(a, b); }
bool alpha_equal(const Stmt& a, const Stmt& b) { return Comparer(true).same(a, b); }

bool alpha_equal(const Program& a, const Program& b) {
  Comparer c(true);
  if (a.name != b.name || a.buffers.size() != b.buffers.size() ||
      a.launches.size() != b.launches.size())
    return false;
  for (std::size_t i = 0; i < a.buffers.size(); ++i) {
    if (a.buffers[i].role != b.buffers[i].role || !c.same(a.buffers[i].buffer, b.buffers[i].buffer))
      return false;
  }
  if (!same_functions(c, a, b)) return false;
  for (std::size_t i = 0; i < a.launches.size(); ++i) {
    const LaunchSite &x = a.launches[i], &y = b.launches[i];
    if (x.phase != y.phase || x.function != y.function || !c.same_all(x.arguments, y.arguments))
      return false;
  }
  return true;
}

std::uint64_t alpha_hash(const Expr& e) { return AlphaHasher().of(e); }
std::uint64_t alpha_hash(const Stmt& s) { return AlphaHasher().of(s); }

}  // namespace tessera::ir
