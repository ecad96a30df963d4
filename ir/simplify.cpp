#include "ir/simplify.h"

#include <algorithm>
#include <numeric>

#include "ir/analysis/affine.h"
#include "ir/arith.h"
#include "ir/rewrite.h"

namespace tessera::ir {

namespace {

std::int64_t floor_div(std::int64_t a, std::int64_t b) {
  const std::int64_t q = a / b;
  return q - ((a % b != 0) && ((a < 0) != (b < 0)));
}

/// Rules on i64 sums. Each takes simplified operands and gives an equal sum.
class Algebra {
 public:
  explicit Algebra(const Bounds& bounds) : bounds_(bounds) {}

  /// x // c, c > 0:  multiples of c leave; (c*q + r) // c = q + r // c; r // c is known when r stays
  /// in one bucket; common factors cancel; (y // a) // c = y // (a*c).
  AffineSum divide(const AffineSum& x, std::int64_t c) const {
    AffineSum quotient, rest;
    split(x, c, quotient, rest);
    const Interval r = rest.range(bounds_);
    if (r.is_bounded() && floor_div(r.lo, c) == floor_div(r.hi, c)) {
      quotient.constant = wrapping_add(quotient.constant, floor_div(r.lo, c));
      return quotient;
    }
    AffineSum y, low;
    if (const std::int64_t g = blocks(rest, c, y, low); g > 1) {  // (g*y + r) // (g*c') = y // c',  r in [0, g)
      rest = y;
      c /= g;
    }
    quotient.add(atom_div(rest, c), 1);
    return quotient;
  }

  /// x % c, c > 0:  multiples of c vanish; r % c = r - c*(bucket) when r stays in one bucket.
  AffineSum modulo(const AffineSum& x, std::int64_t c) const {
    AffineSum quotient, rest;
    split(x, c, quotient, rest);
    const Interval r = rest.range(bounds_);
    if (r.is_bounded() && floor_div(r.lo, c) == floor_div(r.hi, c)) {
      rest.constant = wrapping_add(rest.constant, wrapping_mul(floor_div(r.lo, c), -c));
      return rest;
    }
    AffineSum out, y, low;
    if (const std::int64_t g = blocks(rest, c, y, low); g > 1) {  // (g*y + r) % (g*c') = g*(y % c') + r,  r in [0, g)
      out.add(modulo_atom(y, c / g), g);
      out.add(low);
      return out;
    }
    out.add(modulo_atom(rest, c), 1);
    return out;
  }

  /// x = g*y + low with low in [0, g): the largest such g that divides c; 1 when there is none.
  std::int64_t blocks(const AffineSum& x, std::int64_t c, AffineSum& y, AffineSum& low) const {
    std::vector<std::int64_t> sizes{1};
    for (const Term& t : x.terms) sizes.push_back(t.coefficient == INT64_MIN ? 1 : std::gcd(c, t.coefficient));
    for (std::size_t i = 1, n = sizes.size(); i < n; ++i) {
      for (std::size_t k = i + 1; k < n; ++k) sizes.push_back(std::gcd(sizes[i], sizes[k]));
    }
    std::int64_t best = 1;
    for (const std::int64_t g : sizes) {
      if (g <= best) continue;
      AffineSum high, rest;
      high.constant = floor_div(x.constant, g);
      rest.constant = x.constant - high.constant * g;
      for (const Term& t : x.terms) {
        if (t.coefficient % g == 0) {
          high.add(t.atom, t.coefficient / g);
        } else {
          rest.add(t.atom, t.coefficient);
        }
      }
      const Interval r = rest.range(bounds_);
      if (r.lo < 0 || r.hi >= g) continue;
      best = g;
      y = std::move(high);
      low = std::move(rest);
    }
    return best;
  }

  /// (y // c)*k*c + (y % c)*k = y*k, wherever both stand in one sum; and (y % a // c)*k*c + (y % c)*k = (y % a)*k where c
  /// divides a.
  AffineSum rejoin(AffineSum s) const {
    while (rejoin_one(s)) continue;
    return s;
  }

 private:
  bool rejoin_one(AffineSum& s) const {
    for (const Term& t : s.terms) {
      const auto* m = t.atom.as<FloorMod>();
      std::int64_t c = 0;
      if (m == nullptr || !is_const_int(m->b, &c) || c <= 0) continue;
      const AffineSum y = affine_sum(m->a);
      // The divided form may carry whole multiples outside, so compare through divide().
      const AffineSum q = divide(y, c);
      const bool single = q.terms.size() == 1 && q.terms[0].coefficient == 1;
      for (const Term& d : s.terms) {
        if (d.coefficient != wrapping_mul(t.coefficient, c)) continue;
        const bool whole = single && equal(d.atom, q.terms[0].atom);
        const Expr remainder = whole ? Expr() : divided_remainder(d.atom, m->a, c);
        if (!whole && !remainder.defined()) continue;
        const Term mod = t, div = d;
        s.add(mod.atom, wrapping_mul(mod.coefficient, -1));
        s.add(div.atom, wrapping_mul(div.coefficient, -1));
        if (whole) {
          s.add(y, mod.coefficient);
          s.constant = wrapping_add(s.constant, wrapping_mul(wrapping_mul(q.constant, c), wrapping_mul(mod.coefficient, -1)));
        } else {
          s.add(remainder, mod.coefficient);
        }
        return true;
      }
    }
    return false;
  }

  /// y % a of an atom (y % a) // c, where c divides a; nothing of any other.
  static Expr divided_remainder(const Expr& atom, const Expr& y, std::int64_t c) {
    const auto* d = atom.as<FloorDiv>();
    const auto* m = d == nullptr ? nullptr : d->a.as<FloorMod>();
    std::int64_t by = 0, a = 0;
    const bool fits = m != nullptr && is_const_int(d->b, &by) && by == c && is_const_int(m->b, &a) && a > 0 && a % c == 0 && equal(m->a, y);
    return fits ? d->a : Expr();
  }

  void split(const AffineSum& x, std::int64_t c, AffineSum& quotient, AffineSum& rest) const {
    quotient.constant = floor_div(x.constant, c);
    rest.constant = wrapping_add(x.constant, wrapping_mul(quotient.constant, -c));
    for (const Term& t : x.terms) {
      // Take out the part of the coefficient that is a multiple of c; keep small parts as they are,
      // (5*i) // 4 is no simpler as i + i // 4.
      if (t.coefficient % c == 0) {
        quotient.add(t.atom, t.coefficient / c);
      } else {
        rest.add(t.atom, t.coefficient);
      }
    }
  }

  Expr atom_div(const AffineSum& x, std::int64_t c) const {
    if (x.constant == 0 && x.terms.size() == 1 && x.terms[0].coefficient == 1) {
      const auto* inner = x.terms[0].atom.as<FloorDiv>();
      std::int64_t a = 0, product = 0;
      if (inner != nullptr && is_const_int(inner->b, &a) && a > 0 && !__builtin_mul_overflow(a, c, &product)) {
        return floordiv(inner->a, int_imm(product));
      }
    }
    return floordiv(x.expr(), int_imm(c));
  }

  AffineSum modulo_atom(const AffineSum& y, std::int64_t c) const {
    AffineSum quotient, rest, out;
    split(y, c, quotient, rest);
    const Interval r = rest.range(bounds_);
    if (r.is_bounded() && floor_div(r.lo, c) == floor_div(r.hi, c)) {
      rest.constant = wrapping_add(rest.constant, wrapping_mul(floor_div(r.lo, c), -c));
      return rest;
    }
    // (y % (a*c)) % c = y % c
    if (rest.constant == 0 && rest.terms.size() == 1 && rest.terms[0].coefficient == 1) {
      const auto* inner = rest.terms[0].atom.as<FloorMod>();
      std::int64_t a = 0;
      if (inner != nullptr && is_const_int(inner->b, &a) && a > 0 && a % c == 0) {
        out.add(floormod(inner->a, int_imm(c)), 1);
        return out;
      }
    }
    out.add(floormod(rest.expr(), int_imm(c)), 1);
    return out;
  }

  const Bounds& bounds_;
};

class Simplifier {
 public:
  explicit Simplifier(const Bounds& bounds) : bounds_(bounds), algebra_(bounds_) {}

  Expr expr(const Expr& e) {
    if (!e.defined()) return e;
    if (e.type() == i64) return sum(e).expr();
    if (e.type() == boolean) return condition(e);
    if (const auto* n = e.as<Select>()) return choice(*n, e);
    if (const auto* n = e.as<IfThenElseExpr>()) return choice(*n, e);
    return map_children(e, [this](const Expr& x) { return expr(x); });
  }

  Bounds& bounds() { return bounds_; }

 private:
  AffineSum sum(const Expr& e) {
    AffineSum s;
    std::int64_t k = 0;
    switch (e->kind) {
      case ExprKind::kIntImm: s.constant = e.as<IntImm>()->value; return s;
      case ExprKind::kVar: {
        const auto it = bounds_.find(e.as<VarNode>()->id);
        if (it != bounds_.end() && it->second.is_point()) {
          s.constant = it->second.lo;
        } else {
          s.add(e, 1);
        }
        return s;
      }
      case ExprKind::kAdd:
        s = sum(e.as<Add>()->a);
        s.add(sum(e.as<Add>()->b));
        return algebra_.rejoin(std::move(s));
      case ExprKind::kSub:
        s = sum(e.as<Sub>()->a);
        s.add(sum(e.as<Sub>()->b), -1);
        return algebra_.rejoin(std::move(s));
      case ExprKind::kMul: return affine_sum(sum(e.as<Mul>()->a).expr() * sum(e.as<Mul>()->b).expr());
      case ExprKind::kFloorDiv:
        if (is_const_int(e.as<FloorDiv>()->b, &k) && k > 0) return algebra_.divide(sum(e.as<FloorDiv>()->a), k);
        break;
      case ExprKind::kFloorMod:
        if (is_const_int(e.as<FloorMod>()->b, &k) && k > 0) return algebra_.modulo(sum(e.as<FloorMod>()->a), k);
        break;
      case ExprKind::kMin: return extremum(sum(e.as<Min>()->a), sum(e.as<Min>()->b), true);
      case ExprKind::kMax: return extremum(sum(e.as<Max>()->a), sum(e.as<Max>()->b), false);
      case ExprKind::kSelect: return affine_sum(choice(*e.as<Select>(), e));
      case ExprKind::kIfThenElseExpr: return affine_sum(choice(*e.as<IfThenElseExpr>(), e));
      default: break;
    }
    return affine_sum(map_children(e, [this](const Expr& x) { return expr(x); }));
  }

  /// Data may be i64 too, and its constants (the identities of min and max) as large as they get: their
  /// difference with anything may wrap, so nothing is known of it.
  static bool huge(const AffineSum& s) { return s.constant >= Interval::kInf || s.constant <= -Interval::kInf; }

  /// Range of a - b.
  Interval difference(const AffineSum& a, const AffineSum& b) {
    if (huge(a) || huge(b)) return Interval::all();
    AffineSum d = a;
    d.add(b, -1);
    return algebra_.rejoin(d).range(bounds_);
  }

  /// min(a, b) is a when a - b <= 0 everywhere; likewise the other three cases.
  AffineSum extremum(const AffineSum& a, const AffineSum& b, bool is_min) {
    const Interval r = difference(a, b);
    if (r.hi <= 0) return is_min ? a : b;
    if (r.lo >= 0) return is_min ? b : a;
    AffineSum s;
    s.add(is_min ? min(a.expr(), b.expr()) : max(a.expr(), b.expr()), 1);
    return s;
  }

  template <class N>
  Expr choice(const N& n, const Expr& e) {
    const Expr c = expr(n.condition);
    if (is_true(c)) return expr(n.yes);
    if (is_false(c)) return expr(n.no);
    const Expr y = expr(n.yes), no = expr(n.no);
    if (c.same_as(n.condition) && y.same_as(n.yes) && no.same_as(n.no)) return e;
    if constexpr (std::is_same_v<N, Select>) {
      return select(c, y, no);
    } else {
      return if_then_else(c, y, no);
    }
  }

  Expr condition(const Expr& e) {
    const Binary* n = as_binary(e);
    const bool compares = n != nullptr && n->a.type() == i64 &&
                          (n->kind == ExprKind::kLT || n->kind == ExprKind::kLE || n->kind == ExprKind::kEQ ||
                           n->kind == ExprKind::kNE);
    if (!compares) {
      const Expr s = map_children(e, [this](const Expr& x) { return expr(x); });
      const Interval r = range_of(s, bounds_);
      return r.is_point() ? bool_imm(r.lo != 0) : s;
    }
    const AffineSum a = sum(n->a), b = sum(n->b);
    const Interval r = difference(a, b);
    const Interval known = range_of(make_zero_compare(n->kind, r), bounds_);
    if (known.is_point()) return bool_imm(known.lo != 0);
    if (n->kind == ExprKind::kLT) return less(a, b);
    return make_binary(n->kind, a.expr(), b.expr());
  }

  /// g*x + r < g*y is x < y for r in [0, g): what counts inside a block cannot decide.
  Expr less(const AffineSum& a, const AffineSum& b) {
    if (huge(a) || huge(b)) return a.expr() < b.expr();
    AffineSum d = a, high, low;
    d.add(b, -1);
    std::int64_t whole = 0;
    for (const Term& t : d.terms) whole = std::max(whole, t.coefficient == INT64_MIN ? 0 : std::abs(t.coefficient));
    if (whole <= 1 || algebra_.blocks(d, whole, high, low) <= 1 || (low.terms.empty() && low.constant == 0)) return a.expr() < b.expr();
    AffineSum left = a, right = b;
    left.constant = wrapping_add(left.constant, -low.constant);
    for (const Term& t : low.terms) {  // off the side where it stands
      const auto stands = [&t](const AffineSum& s) { return std::any_of(s.terms.begin(), s.terms.end(), [&t](const Term& x) { return equal(x.atom, t.atom); }); };
      if (stands(a)) {
        left.add(t.atom, -t.coefficient);
      } else {
        right.add(t.atom, t.coefficient);
      }
    }
    return left.expr() < right.expr();
  }

  /// "x op 0" for an x of range r, as an expression whose range tells whether it is decided.
  Expr make_zero_compare(ExprKind k, const Interval& r) {
    switch (k) {
      case ExprKind::kLT: return r.hi < 0 ? bool_imm(true) : r.lo >= 0 ? bool_imm(false) : undecided();
      case ExprKind::kLE: return r.hi <= 0 ? bool_imm(true) : r.lo > 0 ? bool_imm(false) : undecided();
      case ExprKind::kEQ:
        if (r == Interval::point(0)) return bool_imm(true);
        return r.contains(0) ? undecided() : bool_imm(false);
      default:
        if (r == Interval::point(0)) return bool_imm(false);
        return r.contains(0) ? undecided() : bool_imm(true);
    }
  }
  static Expr undecided() {
    static const Var v = Var::fresh("undecided", boolean);
    return v;
  }

  Bounds bounds_;
  Algebra algebra_;
};

class StmtSimplifier {
 public:
  explicit StmtSimplifier(const Bounds& bounds) : simplifier_(bounds) {}

  Stmt stmt(const Stmt& s) {
    if (!s) return s;
    if (const auto* n = s.as<For>()) return loop(*n, s);
    if (const auto* n = s.as<IfThenElse>()) return branch(*n, s);
    if (const auto* n = s.as<Block>()) {
      Stmts out;
      for (const Stmt& x : n->stmts) out.push_back(stmt(x));
      return block(std::move(out));
    }
    if (const auto* n = s.as<LetStmt>()) return let(*n);
    Stmt r = map_children(
        s, [this](const Expr& e) { return simplifier_.expr(e); }, [this](const Stmt& x) { return stmt(x); });
    if (is_empty(body_of(r))) return block({});
    return r;
  }

 private:
  static bool is_empty(const Stmt* s) {
    const Block* b = s != nullptr && *s ? s->as<Block>() : nullptr;
    return s != nullptr && (!*s || (b != nullptr && b->stmts.empty()));
  }
  static const Stmt* body_of(const Stmt& s) {
    if (const auto* n = s.as<Allocate>()) return &n->body;
    if (const auto* n = s.as<LetStmt>()) return &n->body;
    if (const auto* n = s.as<Instance>()) return &n->body;
    return nullptr;
  }

  Stmt let(const LetStmt& n) {
    const Expr value = simplifier_.expr(n.value);
    if (is_const_int(value) || value->kind == ExprKind::kVar) return stmt(substitute(n.body, n.var, value));
    Bounds& bounds = simplifier_.bounds();
    const Bounds saved = bounds;
    bounds[n.var.id()] = range_of(value, bounds);
    const Stmt body = stmt(n.body);
    bounds = saved;
    return is_empty(&body) ? block({}) : make_stmt<LetStmt>(n.var, value, body);
  }

  Stmt loop(const For& n, const Stmt& s) {
    const Expr lo = simplifier_.expr(n.min), extent = simplifier_.expr(n.extent);
    const Interval l = range_of(lo, simplifier_.bounds()), x = range_of(extent, simplifier_.bounds());
    if (x.hi <= 0) return block({});
    std::int64_t count = 0;
    Bounds& bounds = simplifier_.bounds();
    const bool channels = n.notes.count("pipeline") != 0;  // its body means nothing without the loop
    if (is_const_int(extent, &count) && count == 1 && n.loop != ForKind::kVector && !channels) {
      return stmt(substitute(n.body, n.var, lo));
    }
    const Bounds saved = bounds;
    bounds[n.var.id()] = {l.lo, (l + x - Interval::point(1)).hi};
    const Stmt body = stmt(n.body);
    bounds = saved;
    if (is_empty(&body)) return block({});
    if (lo.same_as(n.min) && extent.same_as(n.extent) && body.same_as(n.body)) return s;
    return make_stmt<For>(n.var, lo, extent, n.loop, body, n.notes);
  }

  Stmt branch(const IfThenElse& n, const Stmt&) {
    const Expr c = simplifier_.expr(n.condition);
    if (is_true(c)) return stmt(n.yes);
    if (is_false(c)) return n.no ? stmt(n.no) : block({});
    const Stmt yes = stmt(n.yes), no = n.no ? stmt(n.no) : n.no;
    const bool no_empty = !no || is_empty(&no);
    if (is_empty(&yes) && no_empty) return block({});
    if (is_empty(&yes)) return make_stmt<IfThenElse>(simplifier_.expr(!c), no);
    return make_stmt<IfThenElse>(c, yes, no_empty ? Stmt() : no);
  }

  Simplifier simplifier_;
};

}  // namespace

Expr simplify(const Expr& e, const Bounds& bounds) { return Simplifier(bounds).expr(e); }

Stmt simplify(const Stmt& s, const Bounds& bounds) { return StmtSimplifier(bounds).stmt(s); }

bool proves(const Expr& condition, const Bounds& bounds) { return is_true(simplify(condition, bounds)); }

}  // namespace tessera::ir
