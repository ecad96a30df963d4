#include "schedule/detail/index_algebra.h"

#include <algorithm>
#include <numeric>

#include "support/hash.h"

namespace tessera::schedule::detail {

namespace {

using ir::Interval;

constexpr std::int64_t kInf = Interval::kInf;
constexpr std::size_t kMostNodes = 1024;

std::int64_t floor_div(std::int64_t a, std::int64_t b) {
  const std::int64_t q = a / b;
  return q - ((a % b != 0) && ((a < 0) != (b < 0)) ? 1 : 0);
}

bool infinite(std::int64_t v) { return v >= kInf || v <= -kInf; }

std::int64_t add_ends(std::int64_t a, std::int64_t b) {
  if (infinite(a)) return a;
  if (infinite(b)) return b;
  return std::clamp(a + b, -kInf, kInf);  // each is below 2^62, so the sum fits
}

std::int64_t scale_end(std::int64_t v, std::int64_t k) {
  std::int64_t r = 0;
  if (!__builtin_mul_overflow(v, k, &r)) return std::clamp(r, -kInf, kInf);
  return (v > 0) == (k > 0) ? kInf : -kInf;
}

Interval both(const Interval& a, const Interval& b) { return {add_ends(a.lo, b.lo), add_ends(a.hi, b.hi)}; }

Interval scaled(const Interval& a, std::int64_t k) {
  const std::int64_t x = scale_end(a.lo, k), y = scale_end(a.hi, k);
  return k >= 0 ? Interval{x, y} : Interval{y, x};
}

/// The same for sums that differ in the order of their terms.
std::uint64_t hash_of(const IndexSum& s) {
  auto h = static_cast<std::uint64_t>(s.constant);
  for (const IndexTerm& t : s) h += static_cast<std::uint64_t>(t.coefficient) * (static_cast<std::uint64_t>(t.atom) * 0x9e3779b97f4a7c15ULL + 1);
  return h;
}

/// One bucket of size c holds the whole range.
bool one_bucket(const Interval& r, std::int64_t c) { return r.is_bounded() && floor_div(r.lo, c) == floor_div(r.hi, c); }

}  // namespace

IndexSum& IndexSum::operator=(const IndexSum& o) {
  constant = o.constant;
  size = o.size;
  composite = o.composite;
  atoms = o.atoms;
  std::copy(o.begin(), o.end(), terms.begin());
  return *this;
}

void IndexSum::erase(int i) {
  std::copy(terms.begin() + i + 1, terms.begin() + size, terms.begin() + i);
  --size;
}

void IndexAlgebra::begin(int variables) {
  variables_ = variables;
  fits_ = variables <= kMostVariables;
  bounded_ = true;
  ranges_.assign(static_cast<std::size_t>(variables), Interval::all());
  nodes_.clear();
  terms_.clear();
}

IndexSum IndexAlgebra::variable(Atom v) const {
  IndexSum s;
  const Interval& r = ranges_[static_cast<std::size_t>(v)];
  if (bounded_ && r.is_point()) {
    s.constant = r.lo;
  } else {
    s.terms[0] = {1, v};
    s.size = 1;
    s.atoms = std::uint64_t{1} << (v % 64);
  }
  return s;
}

// ---- sums -----------------------------------------------------------------------------------------

void IndexAlgebra::add_term(IndexSum& s, Atom atom, std::int64_t coefficient) {
  if (coefficient == 0) return;
  const std::uint64_t bit = std::uint64_t{1} << (atom % 64);
  for (int i = 0; (s.atoms & bit) != 0 && i < s.size; ++i) {
    IndexTerm& t = s.terms[static_cast<std::size_t>(i)];
    if (t.atom != atom) continue;
    t.coefficient += coefficient;
    if (t.coefficient == 0) s.erase(i);
    return;
  }
  if (s.size == IndexSum::kMost) {
    fits_ = false;
    return;
  }
  s.terms[static_cast<std::size_t>(s.size++)] = {coefficient, atom};
  s.atoms |= bit;
  s.composite |= !is_variable(atom);
}

void IndexAlgebra::add_to(IndexSum& s, const IndexSum& x, std::int64_t scale) {
  s.constant += x.constant * scale;
  for (const IndexTerm& t : x) add_term(s, t.atom, t.coefficient * scale);
}

void IndexAlgebra::add(IndexSum& to, const IndexSum& x, std::int64_t scale) {
  add_to(to, x, scale);
  if (has_modulo(to)) rejoin(to);
}

bool IndexAlgebra::has_modulo(const IndexSum& s) const {
  return s.composite && std::any_of(s.begin(), s.end(), [&](const IndexTerm& t) { return !is_variable(t.atom) && node(t.atom).kind == Kind::kMod; });
}

bool IndexAlgebra::rejoin_one(IndexSum& s, const IndexTerm& t) {
  const std::int64_t c = node(t.atom).divisor, k = t.coefficient;
  const IndexSum y = load(node(t.atom).a);
  // The divided form may carry whole multiples outside, so compare through divide().
  const IndexSum q = divide(y, c);
  const bool single = q.size == 1 && q.terms[0].coefficient == 1;
  for (const IndexTerm& d : s) {
    if (d.coefficient != k * c) continue;
    const bool whole = single && d.atom == q.terms[0].atom;
    const Atom remainder = whole ? -1 : divided_remainder(d.atom, y, c);
    if (!whole && remainder < 0) continue;
    const Atom mod = t.atom, div = d.atom;
    add_term(s, mod, -k);
    add_term(s, div, -k * c);
    if (whole) {
      add_to(s, y, k);
      s.constant -= q.constant * c * k;
    } else {
      add_term(s, remainder, k);
    }
    return true;
  }
  return false;
}

/// y % a of an atom (y % a) // c, where c divides a; -1 of any other.
Atom IndexAlgebra::divided_remainder(Atom atom, const IndexSum& y, std::int64_t c) const {
  if (is_variable(atom) || node(atom).kind != Kind::kDiv || node(atom).divisor != c) return -1;
  const IndexSum inner = load(node(atom).a);
  if (inner.constant != 0 || inner.size != 1 || inner.terms[0].coefficient != 1 || is_variable(inner.terms[0].atom)) return -1;
  const Node& m = node(inner.terms[0].atom);
  return m.kind == Kind::kMod && m.divisor % c == 0 && equal(m.a, y) ? inner.terms[0].atom : -1;
}

/// As in ir/simplify.cpp.
void IndexAlgebra::rejoin(IndexSum& s) {
  for (bool again = true; again;) {
    again = false;
    for (int i = 0; i < s.size && !again; ++i) {
      const IndexTerm t = s.terms[static_cast<std::size_t>(i)];
      if (!is_variable(t.atom) && node(t.atom).kind == Kind::kMod) again = rejoin_one(s, t);
    }
  }
}

IndexSum IndexAlgebra::simplified(const IndexSum& x) {
  IndexSum out(x.constant);
  for (const IndexTerm& t : x) {
    if (is_variable(t.atom)) {
      add_to(out, variable(t.atom), t.coefficient);
      continue;
    }
    const Parts p = parts(t.atom);
    const IndexSum a = simplified(p.first);
    switch (p.kind) {
      case Kind::kDiv: add_to(out, divide(a, p.divisor), t.coefficient); break;
      case Kind::kMod: add_to(out, modulo(a, p.divisor), t.coefficient); break;
      default: add_to(out, extremum(a, simplified(p.second), p.kind), t.coefficient); break;
    }
  }
  if (has_modulo(out)) rejoin(out);
  return out;
}

// ---- division -------------------------------------------------------------------------------------

void IndexAlgebra::split(const IndexSum& x, std::int64_t c, IndexSum& quotient, IndexSum& rest) {
  quotient.constant = floor_div(x.constant, c);
  rest.constant = x.constant - quotient.constant * c;
  for (const IndexTerm& t : x) {
    if (t.coefficient % c == 0) {
      add_term(quotient, t.atom, t.coefficient / c);
    } else {
      add_term(rest, t.atom, t.coefficient);
    }
  }
}

std::int64_t IndexAlgebra::blocks(const IndexSum& x, std::int64_t c, IndexSum& y, IndexSum& low) {
  std::int64_t best = 1;
  const auto consider = [&](std::int64_t g) {
    if (g <= best) return;
    IndexSum high(floor_div(x.constant, g)), rest(x.constant - floor_div(x.constant, g) * g);
    for (const IndexTerm& t : x) {
      if (t.coefficient % g == 0) {
        add_term(high, t.atom, t.coefficient / g);
      } else {
        add_term(rest, t.atom, t.coefficient);
      }
    }
    const Interval r = range(rest);
    if (r.lo < 0 || r.hi >= g) return;
    best = g;
    y = high;
    low = rest;
  };
  for (const IndexTerm& t : x) consider(std::gcd(c, t.coefficient));
  for (int i = 0; i < x.size; ++i) {
    const std::int64_t own = std::gcd(c, x.terms[static_cast<std::size_t>(i)].coefficient);
    for (int k = i + 1; k < x.size; ++k) consider(std::gcd(own, std::gcd(c, x.terms[static_cast<std::size_t>(k)].coefficient)));
  }
  return best;
}

Atom IndexAlgebra::division(const IndexSum& x, std::int64_t c) {
  const bool alone = x.constant == 0 && x.size == 1 && x.terms[0].coefficient == 1 && !is_variable(x.terms[0].atom);
  if (alone && node(x.terms[0].atom).kind == Kind::kDiv) {  // (y // a) // c = y // (a*c)
    const Node& inner = node(x.terms[0].atom);
    return composite(Kind::kDiv, load(inner.a), inner.divisor * c, IndexSum());
  }
  return composite(Kind::kDiv, x, c, IndexSum());
}

IndexSum IndexAlgebra::divide(const IndexSum& x, std::int64_t c) {
  if (c == 1) return x;
  IndexSum quotient, rest;
  split(x, c, quotient, rest);
  const Interval r = range(rest);
  if (one_bucket(r, c)) {
    quotient.constant += floor_div(r.lo, c);
    return quotient;
  }
  IndexSum y, low;
  if (const std::int64_t g = blocks(rest, c, y, low); g > 1) {  // (g*y + r) // (g*c') = y // c',  r in [0, g)
    rest = y;
    c /= g;
  }
  add_term(quotient, division(rest, c), 1);
  return quotient;
}

IndexSum IndexAlgebra::modulo(const IndexSum& x, std::int64_t c) {
  IndexSum quotient, rest;
  split(x, c, quotient, rest);
  const Interval r = range(rest);
  if (one_bucket(r, c)) {
    rest.constant -= floor_div(r.lo, c) * c;
    return rest;
  }
  IndexSum out(0), y, low;
  if (const std::int64_t g = blocks(rest, c, y, low); g > 1) {  // (g*y + r) % (g*c') = g*(y % c') + r,  r in [0, g)
    add_to(out, modulo_atom(y, c / g), g);
    add_to(out, low, 1);
    return out;
  }
  add_to(out, modulo_atom(rest, c), 1);
  return out;
}

IndexSum IndexAlgebra::modulo_atom(const IndexSum& y, std::int64_t c) {
  IndexSum quotient, rest, out;
  split(y, c, quotient, rest);
  const Interval r = range(rest);
  if (one_bucket(r, c)) {
    rest.constant -= floor_div(r.lo, c) * c;
    return rest;
  }
  const bool alone = rest.constant == 0 && rest.size == 1 && rest.terms[0].coefficient == 1 && !is_variable(rest.terms[0].atom);
  if (alone && node(rest.terms[0].atom).kind == Kind::kMod && node(rest.terms[0].atom).divisor % c == 0) {
    rest = load(node(rest.terms[0].atom).a);  // (y % (a*c)) % c = y % c
  }
  add_term(out, composite(Kind::kMod, rest, c, IndexSum()), 1);
  return out;
}

// ---- ranges ---------------------------------------------------------------------------------------

Interval IndexAlgebra::plain_range(std::int64_t constant, const IndexTerm* first, int size) const {
  Interval r = Interval::point(constant);
  for (const IndexTerm* t = first; t != first + size; ++t) r = both(r, scaled(atom_range(t->atom), t->coefficient));
  return r;
}

Interval IndexAlgebra::atom_range(Atom a) const {
  if (is_variable(a)) return bounded_ ? ranges_[static_cast<std::size_t>(a)] : Interval::all();
  const Node& n = node(a);
  const auto of = [&](const Stored& s) { return plain_range(s.constant, terms_.data() + s.first, s.size); };
  switch (n.kind) {
    case Kind::kDiv: return ir::floordiv(of(n.a), Interval::point(n.divisor));
    case Kind::kMod: return ir::floormod(of(n.a), Interval::point(n.divisor));
    case Kind::kMin: return ir::min(of(n.a), of(n.b));
    default: return ir::max(of(n.a), of(n.b));
  }
}

/// As ir::AffineSum::range: the first `open` min and max atoms are taken apart, so that terms cancel
/// inside their branches.
Interval IndexAlgebra::expanded_range(const IndexSum& s, int open) {
  for (int i = 0; s.composite && i < s.size && open > 0; ++i) {
    const IndexTerm t = s.terms[static_cast<std::size_t>(i)];
    if (is_variable(t.atom) || (node(t.atom).kind != Kind::kMin && node(t.atom).kind != Kind::kMax)) continue;
    const Parts p = parts(t.atom);
    IndexSum with_a = s;
    with_a.erase(i);
    IndexSum with_b = with_a;
    add_to(with_a, p.first, t.coefficient);
    add_to(with_b, p.second, t.coefficient);
    const Interval a = expanded_range(with_a, open - 1), b = expanded_range(with_b, open - 1);
    return (p.kind == Kind::kMin) == (t.coefficient > 0) ? ir::min(a, b) : ir::max(a, b);
  }
  return plain_range(s.constant, s.begin(), s.size);
}

IndexSum IndexAlgebra::ordered(const IndexSum& x) {
  IndexSum out = x;
  out.size = 0;
  for (const bool positive : {true, false}) {
    for (const IndexTerm& t : x) {
      if ((t.coefficient > 0) == positive) out.terms[static_cast<std::size_t>(out.size++)] = t;
    }
  }
  return out;
}

Interval IndexAlgebra::range(const IndexSum& x) {
  constexpr int kOpen = 5;
  return expanded_range(x, kOpen);
}

Interval IndexAlgebra::difference(const IndexSum& a, const IndexSum& b) {
  if (infinite(a.constant) || infinite(b.constant)) return Interval::all();
  return range(sum(a, b, -1));
}

IndexSum IndexAlgebra::extremum(const IndexSum& a, const IndexSum& b, Kind kind) {
  const bool is_min = kind == Kind::kMin;
  const Interval r = difference(a, b);
  if (r.hi <= 0) return is_min ? a : b;
  if (r.lo >= 0) return is_min ? b : a;
  IndexSum s;
  add_term(s, composite(kind, a, 0, b), 1);
  return s;
}

// ---- composite atoms ------------------------------------------------------------------------------

/// In the order in which AffineSum::expr() writes them: positive terms, then negative ones.
IndexAlgebra::Stored IndexAlgebra::store(const IndexSum& s) {
  const Stored out{s.constant, static_cast<int>(terms_.size()), s.size};
  for (const bool positive : {true, false}) {
    for (const IndexTerm& t : s) {
      if ((t.coefficient > 0) == positive) terms_.push_back(t);
    }
  }
  return out;
}

bool IndexAlgebra::equal(const Stored& s, const IndexSum& x) const {
  if (s.constant != x.constant || s.size != x.size) return false;
  const IndexTerm* next = terms_.data() + s.first;
  for (const bool positive : {true, false}) {
    for (const IndexTerm& t : x) {
      if ((t.coefficient > 0) == positive && !(t == *next++)) return false;
    }
  }
  return true;
}

IndexSum IndexAlgebra::load(const Stored& s) const {
  IndexSum out(s.constant);
  out.size = s.size;
  out.composite = s.size > 0;  // perhaps
  for (int i = 0; i < s.size; ++i) {
    const IndexTerm& t = terms_[static_cast<std::size_t>(s.first + i)];
    out.terms[static_cast<std::size_t>(i)] = t;
    out.atoms |= std::uint64_t{1} << (t.atom % 64);
  }
  return out;
}

IndexAlgebra::Parts IndexAlgebra::parts(Atom a) const {
  const Node& n = node(a);
  return {n.kind, n.divisor, load(n.a), load(n.b)};
}

void IndexAlgebra::collect(VariableSet& set, const IndexSum& s) const {
  for (const IndexTerm& t : s) {
    if (is_variable(t.atom)) {
      set[static_cast<std::size_t>(t.atom) / 64] |= std::uint64_t{1} << (t.atom % 64);
    } else {
      for (std::size_t w = 0; w < set.size(); ++w) set[w] |= node(t.atom).variables[w];
    }
  }
}

Atom IndexAlgebra::composite(Kind kind, const IndexSum& a, std::int64_t divisor, const IndexSum& b) {
  const std::uint64_t hash = hash_combine(hash_of(a), hash_of(b)) + static_cast<std::uint64_t>(divisor);
  for (std::size_t i = 0; i < nodes_.size(); ++i) {
    const Node& n = nodes_[i];
    if (n.hash == hash && n.kind == kind && n.divisor == divisor && equal(n.a, a) && equal(n.b, b)) return variables_ + static_cast<Atom>(i);
  }
  if (nodes_.size() == kMostNodes) {
    fits_ = false;
    return variables_ + static_cast<Atom>(kMostNodes) - 1;
  }
  Node n;
  n.kind = kind;
  n.divisor = divisor;
  n.hash = hash;
  n.a = store(a);
  n.b = store(b);
  collect(n.variables, a);
  collect(n.variables, b);
  nodes_.push_back(n);
  return variables_ + static_cast<Atom>(nodes_.size()) - 1;
}

bool IndexAlgebra::uses(Atom a, Atom variable) const {
  return (node(a).variables[static_cast<std::size_t>(variable) / 64] >> (variable % 64) & 1) != 0;
}

bool IndexAlgebra::uses(const IndexSum& x, const VariableSet& any_of) const {
  VariableSet mine{};
  collect(mine, x);
  bool found = false;
  for (std::size_t w = 0; w < mine.size(); ++w) found |= (mine[w] & any_of[w]) != 0;
  return found;
}

}  // namespace tessera::schedule::detail
