#include "lower/passes/distribute_registers.h"

#include <algorithm>
#include <map>
#include <set>

#include "ir/analysis/affine.h"
#include "ir/analysis/loops.h"
#include "ir/mma.h"
#include "ir/print.h"
#include "ir/rewrite.h"
#include "ir/simplify.h"
#include "lower/detail/thread_sets.h"
#include "lower/pipeline.h"

namespace tessera::lower {

namespace {

using ir::Bounds;
using ir::Buffer;
using ir::Expr;
using ir::Exprs;
using ir::int_imm;
using ir::make_stmt;
using ir::Stmt;

bool in_registers(const ir::BufferNode* b) { return b->scope == ir::Scope::kRegister || b->scope == ir::Scope::kLocal; }

/// A dimension of an index: what chooses the thread, and the thread's own part.
struct Index {
  ir::AffineSum thread, own;
};

/// Narrows the variables that a condition compares with constants.
void narrow(const Expr& condition, Bounds& bounds) {
  if (const auto* both = condition.as<ir::And>()) {
    narrow(both->a, bounds);
    return narrow(both->b, bounds);
  }
  const auto* less = condition.as<ir::LT>();
  const auto* equal = condition.as<ir::EQ>();
  if (less == nullptr && equal == nullptr) return;
  const auto* v = (less != nullptr ? less->a : equal->a).as<ir::VarNode>();
  std::int64_t value = 0;
  if (v == nullptr || !is_const_int(less != nullptr ? less->b : equal->b, &value)) return;
  const auto known = bounds.find(v->id);
  if (known == bounds.end()) return;
  ir::Interval& range = known->second;
  range.hi = std::min(range.hi, less != nullptr ? value - 1 : value);
  if (equal != nullptr) range.lo = std::max(range.lo, value);
}

/// Own indices count in steps of these sizes: digit d stands for `stride`, has `extent` values, and is
/// `dense` apart in the thread's array.
struct Digit {
  std::int64_t stride = 1, extent = 1, dense = 1;
};

/// What is known where a statement stands.
struct Place {
  Bounds bounds;
  ThreadSet threads;  // that get there
};

struct Tile {
  Buffer buffer;
  ThreadSet readers, strangers;  // threads that read it, and those that some statement leaves out when it writes
  bool exchanged = false;        // a part of each thread, of which some have nothing to add
  std::vector<ir::AffineSum> thread;  // by dimension, of the first access
  std::vector<std::set<std::pair<std::int64_t, std::int64_t>>> steps;  // by dimension: stride, count
  std::vector<std::map<std::int64_t, std::int64_t>> threads;  // by dimension: stride of a thread's place, how many there are
  std::set<std::pair<std::int64_t, std::size_t>> inner;  // stride, dimension: digits that come first in the array
  std::vector<std::vector<Digit>> digits;
  Buffer own;
};

class Distribution {
 public:
  std::string refusal;

  Stmt run(const Stmt& kernel) {
    find_threads(kernel);
    visit(kernel, Place{{}, sets_.all()});
    for (auto& [id, t] : tiles_) lay_out(t);
    return refusal.empty() ? rebuilt(kernel, {}) : kernel;
  }

 private:
  void find_threads(const Stmt& s) {
    if (const auto* n = s.as<ir::For>()) {
      if (n->loop != ir::ForKind::kThreadX) return find_threads(n->body);
      threads_.insert(n->var.id());
      sets_.start(*n);
      Stmt body = n->body;
      while (const auto* let = body.as<ir::LetStmt>()) {
        threads_.insert(let->var.id());
        coordinates_[let->var.id()] = let->value;
        body = let->body;
      }
    }
  }

  void visit(const Stmt& s, Place here) {
    if (const auto* n = s.as<ir::IfThenElse>(); n != nullptr) {
      visit(n->condition, here);
      Place yes = here;
      narrow(n->condition, yes.bounds);
      // Two branches do the same work in two ways.
      if (!n->no) yes.threads = sets_.under(n->condition, here.threads);
      visit(n->yes, yes);
      if (n->no) visit(n->no, here);
      return;
    }
    ir::extend_bounds(s, here.bounds);
    if (const auto* n = s.as<ir::Store>(); n != nullptr && in_registers(n->buffer.get())) note(n->buffer, n->indices, here, true);
    if (const auto* n = s.as<ir::TileOp>()) {
      for (const ir::Region& r : n->regions) {
        if (!in_registers(r.buffer.get())) continue;
        note(r.buffer, r.min, here, &r == &n->regions[0]);
        tiles_[r.buffer->id].exchanged |= n->intrinsic.starts_with("shuffle");
        note_box(*n, r);
      }
    }
    ir::for_each_child(s, [&](const Expr& e) { visit(e, here); }, [&](const Stmt& x) { if (x) visit(x, here); });
  }

  void visit(const Expr& e, const Place& here) {
    if (const auto* n = e.as<ir::Load>(); n != nullptr && in_registers(n->buffer.get())) note(Buffer(n->buffer), n->indices, here, false);
    if (const auto* n = e.as<ir::IfThenElseExpr>()) {
      visit(n->condition, here);
      Place yes = here;
      yes.threads = sets_.under(n->condition, here.threads);
      visit(n->yes, yes);
      return visit(n->no, here);
    }
    ir::for_each_child(e, [&](const Expr& x) { visit(x, here); });
  }

  Index index_of(const Buffer& b, const Expr& index, const Bounds& bounds) {
    Index out;
    const ir::AffineSum sum = ir::affine_sum(ir::simplify(index, bounds));
    out.own.constant = sum.constant;
    for (const ir::Term& t : sum.terms) {
      bool mine = false, others = false;
      for (const ir::Var& v : ir::free_vars(t.atom)) (threads_.count(v.id()) != 0 ? mine : others) = true;
      if (mine && others) {
        refuse_("index " + text(index) + " of register tile '" + b->name + "' mixes threads and registers in one term; split so that the tile of a thread is whole");
      }
      (mine ? out.thread : out.own).add(t.atom, t.coefficient);
    }
    return out;
  }

  /// For the threads that get here: where the forms differ, place by place. The shape of one statement may be a part of
  /// another's, whose coordinates are then those of the thread by another name.
  bool same(const ir::AffineSum& a, const ir::AffineSum& b, const Bounds& bounds) const {
    const Expr apart = ir::simplify(ir::simplify(a.expr(), bounds) - ir::simplify(b.expr(), bounds), bounds);
    return is_nothing(apart, bounds) || is_nothing(ir::simplify(ir::substitute(apart, coordinates_), bounds), bounds);
  }

  static bool is_nothing(const Expr& e, const Bounds& bounds) {
    return ir::is_zero(e) || (!is_const_int(e) && vanishes(e, ir::free_vars(e), bounds));
  }

  static bool vanishes(const Expr& e, std::vector<ir::Var> vars, const Bounds& bounds) {
    constexpr std::int64_t kMostPlaces = 1024;
    if (vars.empty()) return ir::is_zero(ir::simplify(e, {}));
    std::int64_t places = 1;
    for (const ir::Var& v : vars) {
      const auto range = bounds.find(v.id());
      if (range == bounds.end() || !range->second.is_bounded()) return false;
      places *= range->second.hi - range->second.lo + 1;
      if (places > kMostPlaces) return false;
    }
    const ir::Var v = vars.back();
    vars.pop_back();
    for (std::int64_t i = bounds.at(v.id()).lo; i <= bounds.at(v.id()).hi; ++i) {
      if (!vanishes(ir::simplify(ir::substitute(e, v, int_imm(i)), bounds), vars, bounds)) return false;
    }
    return true;
  }

  void note(const Buffer& b, const Exprs& at, const Place& here, bool writes) {
    Tile& t = tiles_[b->id];
    if (writes) t.strangers |= sets_.all() & ~here.threads;
    else t.readers |= here.threads;
    const bool first = !t.buffer;
    t.buffer = b;
    if (first) {
      t.thread.resize(at.size());
      t.steps.resize(at.size());
      t.threads.resize(at.size());
    }
    for (std::size_t d = 0; d < at.size(); ++d) {
      Index p = index_of(b, at[d], here.bounds);
      if (first) t.thread[d] = p.thread;
      if (!same(t.thread[d], p.thread, here.bounds)) {
        refuse_("register tile '" + b->name + "' is spread over the threads in two ways; one thread cannot read the registers of another, put the tile in shared memory");
      }
      for (const ir::Term& term : p.thread.terms) {
        const ir::Interval r = ir::range_of(term.atom, here.bounds);
        if (!r.is_bounded() || r.hi <= 0) continue;
        std::int64_t& count = t.threads[d].try_emplace(term.coefficient, r.hi + 1).first->second;
        count = std::min(count, r.hi + 1);
      }
      for (const ir::Term& term : p.own.terms) {
        const ir::Interval r = ir::range_of(term.atom, here.bounds);
        if (!r.is_bounded() || r.lo < 0 || term.coefficient < 0) {
          refuse_("index " + text(at[d]) + " of register tile '" + b->name + "' does not count up from the start of the tile");
          return;
        }
        if (r.hi > 0) t.steps[d].insert({term.coefficient, r.hi + 1});
      }
      // A constant part reaches as far as the digits it is made of.
      if (p.own.constant < 0) refuse_("index " + text(at[d]) + " of register tile '" + b->name + "' begins before the tile");
      if (p.own.constant > 0) constants_[b->id].emplace_back(d, p.own.constant);
    }
  }

  /// What an operation takes from one index on.
  void note_box(const ir::TileOp& op, const ir::Region& r) {
    Tile& t = tiles_[r.buffer->id];
    const bool sums = &r == &op.regions[0] && ir::find_mma(op.intrinsic) != nullptr;
    for (std::size_t d = 0; d < r.extent.size(); ++d) {
      std::int64_t n = 0;
      if (!is_const_int(r.extent[d], &n) || n <= 1) continue;
      if (!sums) {
        t.steps[d].insert({1, n});
        continue;
      }
      // Of the product of a warp, a thread has two neighbours in each of two rows, 8 apart; all four are
      // neighbours in its array, those of a row first.
      const std::int64_t stride = n == 16 ? 8 : 1;
      t.steps[d].insert({stride, 2});
      t.inner.insert({stride, d});
    }
  }

  /// What counts as a thread's own must not step through what tells the threads apart.
  void check_owners(const Tile& t) {
    bool apart = true;
    for (std::size_t d = 0; d < t.threads.size(); ++d) {
      for (const auto& [stride, count] : t.threads[d]) {
        for (const auto& [own, n] : t.steps[d]) apart &= own >= stride * count || stride >= own * n;
        for (const auto& [dim, value] : constants_[t.buffer->id]) apart &= dim != d || value / stride % count == 0;
      }
    }
    if (!apart) refuse_("a thread reads elements of register tile '" + t.buffer->name + "' that other threads have; put the tile in shared memory");
  }

  /// Every thread has registers of its own: what it reads it has written.
  void check_writers(const Tile& t) {
    if (t.exchanged || (t.readers & t.strangers).none()) return;
    refuse_("register tile '" + t.buffer->name + "' is read by threads that do not compute it; put the tile in shared memory, or compute it in the threads that read it");
  }

  void lay_out(Tile& t) {
    check_owners(t);
    check_writers(t);
    if (!refusal.empty()) return;
    t.digits.resize(t.steps.size());
    for (std::size_t d = 0; d < t.steps.size(); ++d) find_digits(t, d);
    std::int64_t dense = 1;
    const auto place = [&](Digit& digit) {
      digit.dense = dense;
      dense *= digit.extent;
    };
    for (const auto& [stride, d] : t.inner) {
      for (Digit& digit : t.digits[d]) {
        if (digit.stride == stride) place(digit);
      }
    }
    for (std::size_t d = t.digits.size(); d-- > 0;) {
      for (Digit& digit : t.digits[d]) {
        if (t.inner.count({digit.stride, d}) == 0) place(digit);
      }
    }
    t.own = Buffer::fresh(t.buffer->name, t.buffer->dtype, {int_imm(std::max<std::int64_t>(1, dense))}, t.buffer->scope);
  }

  void find_digits(Tile& t, std::size_t d) {
    std::map<std::int64_t, std::int64_t> reach;  // stride -> first index past what its terms reach
    for (const auto& [stride, count] : t.steps[d]) reach[stride] = std::max(reach[stride], stride * count);
    for (const auto& [dim, value] : constants_[t.buffer->id]) {
      if (dim == d) add_constant(reach, value);
    }
    for (auto it = reach.begin(); it != reach.end(); ++it) {
      std::int64_t end = it->second;
      for (auto before = reach.begin(); before != it; ++before) end = std::max(end, before->second);
      const auto next = std::next(it);
      if (next != reach.end()) {
        if (next->first % it->first != 0) return uneven(t, d);
        end = std::min(end, next->first);
      }
      const std::int64_t extent = (end + it->first - 1) / it->first;
      if (t.inner.count({it->first, d}) != 0 && extent != 2) return uneven(t, d);
      t.digits[d].push_back({it->first, extent, 1});
    }
  }

  /// A constant is a value of the digit with the largest stride that divides it.
  static void add_constant(std::map<std::int64_t, std::int64_t>& reach, std::int64_t value) {
    for (auto it = reach.rbegin(); it != reach.rend(); ++it) {
      if (value >= it->first) {
        it->second = std::max(it->second, value / it->first * it->first + it->first);
        value %= it->first;
      }
    }
    if (value > 0) reach[1] = std::max(reach[1], value + 1);
  }

  void uneven(const Tile& t, std::size_t d) {
    refuse_("dimension " + std::to_string(d) + " of register tile '" + t.buffer->name + "' is cut into pieces that do not divide each other");
  }

  /// The index of an access in the thread's array.
  Expr own_index(const Tile& t, const Exprs& at, const Bounds& bounds) {
    Expr out = int_imm(0);
    for (std::size_t d = 0; d < at.size(); ++d) {
      const Index p = index_of(t.buffer, at[d], bounds);
      for (const ir::Term& term : p.own.terms) out = out + dense(t, d, term.atom, term.coefficient, ir::range_of(term.atom, bounds).hi + 1);
      std::int64_t rest = p.own.constant;
      for (auto digit = t.digits[d].rbegin(); digit != t.digits[d].rend(); ++digit) {
        out = out + int_imm(rest / digit->stride * digit->dense);
        rest %= digit->stride;
      }
    }
    return ir::simplify(out, bounds);
  }

  /// atom * stride, where it may run through several digits.
  static Expr dense(const Tile& t, std::size_t d, const Expr& atom, std::int64_t stride, std::int64_t count) {
    Expr out = int_imm(0);
    std::int64_t done = 1;  // values of the atom that lower digits stand for
    for (const Digit& digit : t.digits[d]) {
      if (digit.stride < stride || done >= count) continue;
      const Expr value = ir::floordiv(atom, int_imm(done));
      const bool last = done * digit.extent >= count;
      out = out + (last ? value : ir::floormod(value, int_imm(digit.extent))) * int_imm(digit.dense);
      done *= digit.extent;
    }
    return out;
  }

  Stmt rebuilt(const Stmt& s, Bounds bounds) {
    ir::extend_bounds(s, bounds);
    const ir::ExprFn expr = [&](const Expr& e) -> Expr {
      const Expr r = ir::map_children(e, expr);
      const auto* n = r.as<ir::Load>();
      if (n == nullptr || !in_registers(n->buffer.get())) return r;
      const Tile& t = tiles_.at(n->buffer->id);
      return ir::make<ir::Load>(t.own, Exprs{own_index(t, n->indices, bounds)}, n->predicate, n->type.lanes);
    };
    const Stmt r = ir::map_children(s, expr, [&](const Stmt& x) { return x ? rebuilt(x, bounds) : x; });
    if (const auto* n = r.as<ir::Store>(); n != nullptr && in_registers(n->buffer.get())) {
      const Tile& t = tiles_.at(n->buffer->id);
      return make_stmt<ir::Store>(t.own, Exprs{own_index(t, n->indices, bounds)}, n->value, n->predicate, n->streaming);
    }
    if (const auto* n = r.as<ir::Allocate>(); n != nullptr && in_registers(n->buffer.get())) {
      const auto t = tiles_.find(n->buffer->id);
      return t == tiles_.end() ? n->body : make_stmt<ir::Allocate>(t->second.own, n->body);
    }
    if (const auto* n = r.as<ir::TileOp>()) {
      std::vector<ir::Region> regions = n->regions;
      for (ir::Region& g : regions) {
        if (!in_registers(g.buffer.get())) continue;
        const Tile& t = tiles_.at(g.buffer->id);
        g = {t.own, {own_index(t, g.min, bounds)}, {int_imm(t.inner.empty() ? own_count(g) : ir::kMmaSums)}};
      }
      return make_stmt<ir::TileOp>(n->intrinsic, std::move(regions));
    }
    return r;
  }

  static std::int64_t own_count(const ir::Region& r) {
    std::int64_t out = 1, n = 1;
    for (const Expr& e : r.extent) out *= is_const_int(e, &n) ? n : 1;
    return out;
  }

  static std::string text(const Expr& e) { return ir::to_string(e); }
  void refuse_(const std::string& why) {
    if (refusal.empty()) refusal = why;
  }

  ThreadSets sets_;
  std::set<ir::VarId> threads_;
  ir::VarMap coordinates_;  // of the thread, by what they are of its index
  std::map<std::uint64_t, Tile> tiles_;
  std::map<std::uint64_t, std::vector<std::pair<std::size_t, std::int64_t>>> constants_;
};

}  // namespace

Result<ir::Program> distribute_registers(const ir::Program& program, const Options&) {
  return map_functions(program, [](const Stmt& s) -> Result<Stmt> {
    Distribution pass;
    const Stmt out = pass.run(s);
    if (!pass.refusal.empty()) return Refusal{pass.refusal};
    return out;
  });
}

}  // namespace tessera::lower
