// The index algebra of ir::simplify over numbered variables, for evaluating one set of expressions at
// thousands of points: the same rules in the same order, on sums of fixed capacity instead of trees.
// Nothing is allocated once it has been used. What exceeds a capacity is noticed, not truncated: ask
// fits() at the end.
#pragma once

#include <array>
#include <cstdint>
#include <vector>

#include "ir/analysis/interval.h"

namespace tessera::schedule::detail {

/// A variable (below the number given to begin()) or a floordiv, floormod, min or max of sums.
using Atom = std::int32_t;

struct IndexTerm {
  std::int64_t coefficient = 0;
  Atom atom = 0;
  bool operator==(const IndexTerm&) const = default;
};

/// constant + sum of coefficient * atom, in the order of first appearance; see ir::AffineSum.
struct IndexSum {
  static constexpr int kMost = 32;

  std::int64_t constant = 0;
  int size = 0;
  bool composite = false;   // some term may be no variable
  std::uint64_t atoms = 0;  // bit (atom % 64) is set for every term: most terms that are added are new
  std::array<IndexTerm, kMost> terms;  // the first `size`

  IndexSum() {}  // NOLINT: leaves the terms alone
  explicit IndexSum(std::int64_t c) : constant(c) {}
  IndexSum(const IndexSum& o) { *this = o; }
  IndexSum& operator=(const IndexSum& o);

  const IndexTerm* begin() const { return terms.data(); }
  const IndexTerm* end() const { return terms.data() + size; }
  bool is_constant() const { return size == 0; }
  void erase(int i);
};

/// Which variables an expression depends on.
using VariableSet = std::array<std::uint64_t, 8>;

class IndexAlgebra {
 public:
  static constexpr int kMostVariables = 512;

  /// Forgets all atoms; `variables` of unknown range.
  void begin(int variables);
  void bound(Atom variable, std::int64_t lo, std::int64_t hi) { ranges_[static_cast<std::size_t>(variable)] = {lo, hi}; }
  /// Whether the ranges of variables are used, or nothing is known of them (simplify without bounds).
  void use_bounds(bool yes) { bounded_ = yes; }
  /// False when a capacity was exceeded since begin(): results are then meaningless.
  bool fits() const { return fits_; }

  IndexSum variable(Atom v) const;
  /// to + x * scale, simplified as a sum.
  void add(IndexSum& to, const IndexSum& x, std::int64_t scale = 1);
  IndexSum sum(IndexSum a, const IndexSum& b, std::int64_t scale = 1) { return add(a, b, scale), a; }
  IndexSum divide(const IndexSum& x, std::int64_t c);  // floordiv, c > 0
  IndexSum modulo(const IndexSum& x, std::int64_t c);  // floormod, c > 0
  IndexSum least(const IndexSum& a, const IndexSum& b) { return extremum(a, b, Kind::kMin); }
  IndexSum greatest(const IndexSum& a, const IndexSum& b) { return extremum(a, b, Kind::kMax); }
  /// With all of its atoms built again, under the ranges that hold now.
  IndexSum simplified(const IndexSum& x);

  /// Positive terms, then negative ones: the order of a sum that has been an expression in between.
  static IndexSum ordered(const IndexSum& x);
  /// The order of terms matters where several are min or max, there as here.
  ir::Interval range(const IndexSum& x);
  /// Of a - b; nothing is known where constants are as large as identities of data.
  ir::Interval difference(const IndexSum& a, const IndexSum& b);

  bool is_variable(Atom a) const { return a < variables_; }
  /// Does a composite atom, or one inside it, depend on `variable`?
  bool uses(Atom composite, Atom variable) const;
  bool uses(const IndexSum& x, const VariableSet& any_of) const;

  enum class Kind : std::uint8_t { kDiv, kMod, kMin, kMax };
  /// What a composite atom is made of; `second` is only set for min and max.
  struct Parts {
    Kind kind;
    std::int64_t divisor;
    IndexSum first, second;
  };
  Parts parts(Atom composite) const;

 private:
  struct Stored {  // a sum whose terms lie in terms_
    std::int64_t constant = 0;
    int first = 0, size = 0;
  };
  struct Node {
    Kind kind;
    std::int64_t divisor = 0;
    Stored a, b;
    std::uint64_t hash = 0;
    VariableSet variables{};
  };

  const Node& node(Atom a) const { return nodes_[static_cast<std::size_t>(a - variables_)]; }
  void add_term(IndexSum& s, Atom atom, std::int64_t coefficient);
  void add_to(IndexSum& s, const IndexSum& x, std::int64_t scale);
  void rejoin(IndexSum& s);
  bool has_modulo(const IndexSum& s) const;
  bool rejoin_one(IndexSum& s, const IndexTerm& t);
  IndexSum extremum(const IndexSum& a, const IndexSum& b, Kind kind);
  void split(const IndexSum& x, std::int64_t c, IndexSum& quotient, IndexSum& rest);
  /// x = g*y + low with low in [0, g): the largest such g that divides c; 1 when there is none.
  std::int64_t blocks(const IndexSum& x, std::int64_t c, IndexSum& y, IndexSum& low);
  IndexSum modulo_atom(const IndexSum& y, std::int64_t c);
  Atom division(const IndexSum& x, std::int64_t c);
  Atom composite(Kind kind, const IndexSum& a, std::int64_t divisor, const IndexSum& b);
  Stored store(const IndexSum& s);
  bool equal(const Stored& s, const IndexSum& x) const;
  IndexSum load(const Stored& s) const;
  void collect(VariableSet& set, const IndexSum& s) const;
  ir::Interval atom_range(Atom a) const;
  ir::Interval plain_range(std::int64_t constant, const IndexTerm* first, int size) const;
  ir::Interval expanded_range(const IndexSum& s, int open);

  int variables_ = 0;
  bool bounded_ = true, fits_ = true;
  std::vector<ir::Interval> ranges_;  // of variables
  std::vector<Node> nodes_;
  std::vector<IndexTerm> terms_;
};

}  // namespace tessera::schedule::detail
