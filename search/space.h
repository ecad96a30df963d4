// The space of a sketch as a constraint problem over its holes: finite domains, and bounds on sums of
// products of holes. Points are constructed, never guessed and rejected: after each choice the bounds
// are propagated to the holes that are still open.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "support/fields.h"
#include "support/rng.h"

namespace tessera::search {

struct Hole {
  std::string name;
  std::vector<std::int64_t> domain;  // positive, ascending, no repeats
  static constexpr auto fields() { return std::tuple{field("name", &Hole::name), field("domain", &Hole::domain)}; }
  bool operator==(const Hole&) const = default;
};

/// weight * product of the named holes.
struct Monomial {
  std::int64_t weight = 1;
  std::vector<std::string> holes;
  static constexpr auto fields() { return std::tuple{field("weight", &Monomial::weight), field("holes", &Monomial::holes)}; }
  bool operator==(const Monomial&) const = default;
};

/// at_least <= sum of terms <= at_most. All holes are positive and all weights too, so both sides are
/// monotone in every hole: the smallest and largest values of open holes bound the sum exactly.
struct Constraint {
  std::string reason;  // what it keeps: "register file", "threads", ...
  std::vector<Monomial> terms;
  std::int64_t at_least = 0;
  std::int64_t at_most = INT64_MAX;
  static constexpr auto fields() {
    return std::tuple{field("reason", &Constraint::reason), field("terms", &Constraint::terms),
                      field("at_least", &Constraint::at_least), field("at_most", &Constraint::at_most)};
  }
  bool operator==(const Constraint&) const = default;
};

using Decisions = std::map<std::string, std::int64_t>;  // by name: what logs hold
using Values = std::vector<std::int64_t>;                // in the order of Space::holes()

class Space {
 public:
  Space() = default;
  Space(std::vector<Hole> holes, std::vector<Constraint> constraints);

  const std::vector<Hole>& holes() const { return holes_; }
  const std::vector<Constraint>& constraints() const { return constraints_; }
  /// Position of a hole; nullopt when there is none of that name.
  std::optional<std::size_t> find(const std::string& hole) const;

  Decisions decisions(const Values& values) const;
  /// nullopt unless `d` names exactly the holes.
  std::optional<Values> values(const Decisions& d) const;

  /// A point that satisfies everything; nullopt only when there is none. Holes are decided smallest
  /// domain first, each uniformly among the values that leave every constraint satisfiable by bounds;
  /// a dead end is backed out of to the last hole that took part in it (conflict-directed backjumping:
  /// Prosser, "Hybrid algorithms for the constraint satisfaction problem", 1993).
  std::optional<Values> sample(Rng& rng) const;
  /// The same with each hole restricted to its values in `domains` (one ascending list a hole, each a
  /// part of the hole's own): one value keeps a hole, two parents' values cross them.
  ///
  ///   rows {1..14}, width {16..64}, rows*width <= 480:   {{8}, {16, 64}}  ->  8, 16
  std::optional<Values> solve(const std::vector<std::vector<std::int64_t>>& domains, Rng& rng) const;
  bool contains(const Values& point) const;
  /// Whether there is no point.
  bool empty() const;
  /// Points in the space, up to `limit`.
  std::int64_t count(std::int64_t limit) const;
  /// All points, in lexicographic order of Values; at most `limit`.
  std::vector<Values> points(std::size_t limit) const;

  bool operator==(const Space& o) const { return holes_ == o.holes_ && constraints_ == o.constraints_; }

 private:
  struct Term {
    std::int64_t weight = 1;
    std::vector<std::size_t> holes;
  };
  /// Bounds of the values a hole may still take: equal once it is decided.
  struct Range {
    std::int64_t low, high;
  };

  bool possible(const std::vector<Range>& ranges, std::size_t constraint) const;
  bool possible(const std::vector<Range>& ranges) const;
  /// A constraint on the hole that no values within the ranges satisfy; nullopt when all may hold.
  std::optional<std::size_t> broken_by(const std::vector<Range>& ranges, std::size_t hole) const;
  void blame(std::size_t constraint, std::vector<bool>& holes) const;

  /// What a walk over the open holes met: a visitor that had enough, some points, or none.
  enum class Walk { kStopped, kSome, kNone };
  template <class Arrange, class Visit>
  struct Search {
    std::vector<std::vector<std::int64_t>> domains;  // by hole
    std::vector<Range> ranges;                       // by hole
    std::vector<std::size_t> order;                  // in which holes are decided
    Arrange arrange;
    Visit visit;
  };
  template <class Arrange, class Visit>
  Walk walk(Search<Arrange, Visit>& search, std::size_t depth, std::vector<bool>& conflict) const;
  template <class Arrange, class Visit>
  void search(std::vector<std::vector<std::int64_t>> domains, bool smallest_first, Arrange arrange, Visit visit) const;
  /// Calls `visit` for every point in lexicographic order until it answers false.
  void enumerate(const std::function<bool(Values)>& visit) const;
  static Values point_of(const std::vector<Range>& ranges);
  std::vector<std::vector<std::int64_t>> domains() const;

  std::vector<Hole> holes_;
  std::vector<Constraint> constraints_;
  std::vector<std::vector<Term>> terms_;               // by constraint
  std::vector<std::vector<std::size_t>> constrains_;   // by hole: the constraints it occurs in
  std::map<std::string, std::size_t> index_;
};

}  // namespace tessera::search
