#include "lower/passes/partition_tails.h"

#include <algorithm>
#include <optional>
#include <set>

#include "ir/analysis/affine.h"
#include "ir/analysis/loops.h"
#include "ir/partition.h"
#include "ir/rewrite.h"
#include "ir/simplify.h"
#include "lower/pipeline.h"

namespace tessera::lower {

namespace {

using ir::Bounds;
using ir::Expr;
using ir::Interval;
using ir::int_imm;
using ir::kMaxCopies;
using ir::make_stmt;
using ir::Stmt;
using ir::Var;

std::int64_t floor_div(std::int64_t a, std::int64_t b) {
  const std::int64_t q = a / b;
  return q - ((a % b != 0) && ((a < 0) != (b < 0)));
}
std::int64_t ceil_div(std::int64_t a, std::int64_t b) { return -floor_div(-a, b); }

/// A difference whose sign decides something inside the loop: a min, a max or a condition. It is
/// settled where `d <= low` for all inner values, or `d >= low + 1` (for a min and max, d >= 0 and
/// d <= 0 overlap, which does no harm).
struct Question {
  ir::AffineSum d;
  std::int64_t low;   // the settled side below: d <= low
  std::int64_t high;  // the settled side above: d >= high
};

class Questions {
 public:
  std::vector<Question> all;

  void collect(const Stmt& s) {
    ir::walk(
        s,
        [&](const Stmt& x) {
          if (const auto* n = x.as<ir::For>()) {
            extremes(n->min);
            extremes(n->extent);
          }
          if (const auto* n = x.as<ir::IfThenElse>()) condition(n->condition);
          return true;
        },
        [&](const Expr& e) {
          if (const auto* n = e.as<ir::IfThenElseExpr>()) condition(n->condition);
          return true;
        });
  }

 private:
  void add(const Expr& a, const Expr& b, std::int64_t low, std::int64_t high) {
    Question q{ir::affine_sum(a), low, high};
    q.d.add(ir::affine_sum(b), -1);
    all.push_back(std::move(q));
  }
  void extremes(const Expr& e) {
    ir::walk(e, [&](const Expr& x) {
      const ir::Binary* n = ir::as_binary(x);
      if (n != nullptr && n->a.type() == ir::i64 && (n->kind == ir::ExprKind::kMin || n->kind == ir::ExprKind::kMax)) {
        add(n->a, n->b, 0, 0);
      }
      return true;
    });
  }
  void condition(const Expr& e) {
    ir::walk(e, [&](const Expr& x) {
      const ir::Binary* n = ir::as_binary(x);
      if (n == nullptr || n->a.type() != ir::i64) return true;
      if (n->kind == ir::ExprKind::kLT) add(n->a, n->b, -1, 0);
      if (n->kind == ir::ExprKind::kLE) add(n->a, n->b, 0, 1);
      extremes(n->a);
      extremes(n->b);
      return true;
    });
  }
};

/// Adds the ranges of all loops inside `s`.
void inner_bounds(const Stmt& s, Bounds& bounds) {
  ir::walk(s, [&](const Stmt& x) {
    ir::extend_bounds(x, bounds);
    return true;
  });
}

/// Values of `v` in (lo, hi] at which the answer to some question about it changes.
std::vector<std::int64_t> cut_points(const Stmt& body, const Var& v, const Interval& range, const Bounds& outer) {
  Bounds bounds = outer;
  bounds[v.id()] = range;
  inner_bounds(body, bounds);
  Questions questions;
  questions.collect(body);
  std::set<std::int64_t> cuts;
  for (const Question& q : questions.all) {
    const std::int64_t k = q.d.coefficient_of(v.id());
    if (k == 0) continue;
    ir::AffineSum rest = q.d;
    rest.add(v, -k);
    const Interval r = rest.range(bounds);
    if (!r.is_bounded()) continue;
    bool elsewhere = false;
    for (const ir::Term& t : rest.terms) elsewhere |= ir::uses_var(t.atom, v.id());
    if (elsewhere) continue;
    // k*v + r <= low for all r, and k*v + r >= high for all r, as half lines of v.
    const std::int64_t below = q.low - r.hi, above = q.high - r.lo;
    const std::int64_t c1 = k > 0 ? floor_div(below, k) + 1 : ceil_div(below, k);
    const std::int64_t c2 = k > 0 ? ceil_div(above, k) : floor_div(above, k) + 1;
    for (const std::int64_t c : {c1, c2}) {
      if (c > range.lo && c <= range.hi) cuts.insert(c);
    }
  }
  return {cuts.begin(), cuts.end()};
}

class Partition {
 public:
  Stmt stmt(const Stmt& s, const Bounds& bounds, int copies) {
    if (const auto* n = s.as<ir::For>()) return loop(*n, s, bounds, copies);
    if (const auto* n = s.as<ir::LetStmt>()) return let(*n, bounds, copies);
    return ir::map_children(
        s, [](const Expr& e) { return e; }, [&](const Stmt& x) { return x ? stmt(x, bounds, copies) : x; });
  }

 private:
  Stmt loop(const ir::For& n, const Stmt& s, const Bounds& bounds, int copies) {
    // Lanes are masked, unrolled copies are each simplified: neither needs ranges of its own.
    if (n.loop == ir::ForKind::kVector || n.loop == ir::ForKind::kUnroll) return inside(n, s, bounds, copies);
    const Stmt bound = bind_decodes(n, bounds);
    if (!bound.same_as(n.body)) {
      return loop(*make_loop(n, n.min, n.extent, bound).as<ir::For>(), make_loop(n, n.min, n.extent, bound), bounds, copies);
    }
    std::int64_t lo = 0, count = 0;
    if (!is_const_int(n.min, &lo) || !is_const_int(n.extent, &count)) return inside(n, s, bounds, copies);
    const Interval range{lo, lo + count - 1};
    const std::vector<std::int64_t> cuts = cut_points(n.body, n.var, range, bounds);
    const int pieces = static_cast<int>(cuts.size()) + 1;
    if (pieces == 1 || copies > kMaxCopies) return inside(n, s, bounds, copies);
    if (copies * pieces > kMaxCopies) return apart(n, s, range, cuts, bounds, copies);
    if (n.loop == ir::ForKind::kSerial) {
      ir::Stmts out;
      for_each_piece(range, cuts, [&](std::int64_t from, std::int64_t to) {
        Bounds inner = bounds;
        inner[n.var.id()] = {from, to};
        const Stmt body = ir::simplify(n.body, inner);
        out.push_back(ir::simplify(make_loop(n, int_imm(from), int_imm(to - from + 1), stmt(body, inner, copies * pieces)), bounds));
      });
      return ir::block(std::move(out));
    }
    return make_loop(n, n.min, n.extent, branches(n.body, n.var, range, cuts, bounds, copies * pieces));
  }

  /// Where there is no room for a copy of every piece: one for the widest, where most is settled, and one
  /// that asks for all others.
  ///   for v in 0..n {body}  ->  for v in 0..n {if from <= v <= to {body on [from, to]} else {body}}
  Stmt apart(const ir::For& n, const Stmt& s, const Interval& range, const std::vector<std::int64_t>& cuts, const Bounds& bounds,
             int copies) {
    std::vector<std::int64_t> begins{range.lo};
    begins.insert(begins.end(), cuts.begin(), cuts.end());
    const auto at = ir::widest_piece(std::span<const std::int64_t>(begins), range.hi + 1);
    if (!at) return inside(n, s, bounds, copies);
    const Interval widest{begins[*at], *at + 1 < begins.size() ? begins[*at + 1] - 1 : range.hi};
    Bounds inner = bounds;
    inner[n.var.id()] = range;
    const Stmt rest = stmt(n.body, inner, kMaxCopies + 1);
    inner[n.var.id()] = widest;
    const Stmt most = stmt(ir::simplify(n.body, inner), inner, copies);
    const Expr v = n.var, in = int_imm(widest.lo) <= v && v <= int_imm(widest.hi);
    inner[n.var.id()] = range;
    return make_loop(n, n.min, n.extent, make_stmt<ir::IfThenElse>(ir::simplify(in, inner), most, rest));
  }

  Stmt let(const ir::LetStmt& n, const Bounds& bounds, int copies) {
    const Interval range = ir::range_of(n.value, bounds);
    Bounds inner = bounds;
    inner[n.var.id()] = range;
    if (n.var.type() != ir::i64 || !range.is_bounded()) return make_stmt<ir::LetStmt>(n.var, n.value, stmt(n.body, inner, copies));
    const std::vector<std::int64_t> cuts = cut_points(n.body, n.var, range, bounds);
    const int pieces = static_cast<int>(cuts.size()) + 1;
    if (pieces == 1 || copies * pieces > kMaxCopies) return make_stmt<ir::LetStmt>(n.var, n.value, stmt(n.body, inner, copies));
    return make_stmt<ir::LetStmt>(n.var, n.value, branches(n.body, n.var, range, cuts, bounds, copies * pieces));
  }

  Stmt inside(const ir::For& n, const Stmt& s, const Bounds& bounds, int copies) {
    Bounds inner = bounds;
    inner[n.var.id()] = ir::loop_range(n, bounds).values;
    const Stmt body = stmt(n.body, inner, copies);
    return body.same_as(n.body) ? s : make_loop(n, n.min, n.extent, body);
  }

  /// if v < c1 {body on [lo, c1)} else if v < c2 {...} else {...}
  Stmt branches(const Stmt& body, const Var& v, const Interval& range, const std::vector<std::int64_t>& cuts,
                const Bounds& bounds, int copies) {
    std::vector<std::pair<std::int64_t, Stmt>> pieces;
    for_each_piece(range, cuts, [&](std::int64_t from, std::int64_t to) {
      Bounds inner = bounds;
      inner[v.id()] = {from, to};
      Stmt piece = from == to ? ir::substitute(body, v, int_imm(from)) : body;
      piece = ir::simplify(piece, inner);
      pieces.push_back({to, stmt(piece, inner, copies)});
    });
    Stmt out = pieces.back().second;
    for (std::size_t i = pieces.size() - 1; i-- > 0;) {
      out = make_stmt<ir::IfThenElse>(Expr(v) <= int_imm(pieces[i].first), pieces[i].second, out);
    }
    return out;
  }

  template <class F>
  static void for_each_piece(const Interval& range, const std::vector<std::int64_t>& cuts, F f) {
    std::int64_t from = range.lo;
    for (const std::int64_t c : cuts) {
      f(from, c - 1);
      from = c;
    }
    f(from, range.hi);
  }

  static Stmt make_loop(const ir::For& n, const Expr& lo, const Expr& extent, const Stmt& body) {
    return make_stmt<ir::For>(n.var, lo, extent, n.loop, body, n.notes);
  }

  /// A fused loop decodes its variable by // and %: each decode that a question asks about gets a
  /// name, so that it can be cut like a loop.
  Stmt bind_decodes(const ir::For& n, const Bounds& bounds) {
    Questions questions;
    questions.collect(n.body);
    Stmt body = n.body;
    Bounds inner = bounds;
    const Interval lo = ir::range_of(n.min, bounds), count = ir::range_of(n.extent, bounds);
    inner[n.var.id()] = {lo.lo, (lo + count - Interval::point(1)).hi};
    for (const Question& q : questions.all) {
      for (const ir::Term& t : q.d.terms) {
        const bool decode = t.atom->kind == ir::ExprKind::kFloorDiv || t.atom->kind == ir::ExprKind::kFloorMod;
        if (!decode || !ir::uses_var(t.atom, n.var.id())) continue;
        bool closed = true;  // only this loop's variable and outer ones
        for (const Var& v : ir::free_vars(t.atom)) closed &= inner.count(v.id()) != 0;
        if (!closed) continue;
        const Var name = Var::fresh(n.var.name() + ".part");
        const Expr atom = t.atom;
        const Stmt replaced = ir::rewrite_exprs(body, [&](const Expr& e) { return replace(e, atom, name); });
        if (!replaced.same_as(body)) body = make_stmt<ir::LetStmt>(name, atom, replaced);
        return body;  // one at a time: the others are found again in the new body
      }
    }
    return body;
  }

  static Expr replace(const Expr& e, const Expr& what, const Expr& with) {
    if (e.hash() == what.hash() && ir::equal(e, what)) return with;
    return ir::map_children(e, [&](const Expr& x) { return replace(x, what, with); });
  }
};

}  // namespace

Result<ir::Program> partition_tails(const ir::Program& program, const Options&) {
  return map_functions(program, [](const Stmt& s) -> Result<Stmt> { return Partition().stmt(ir::simplify(s), {}, 1); });
}

}  // namespace tessera::lower
