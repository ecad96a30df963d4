// Offspring by re-solving: a child fixes some holes of its parents and leaves the others to the
// solver of the sketch's space, so that it is a valid point by construction (Heron, ASPLOS 2023).
//
//   parent  rows 6, width 64, mid 8         redraw width:    rows 6, width 16, mid 8
//   parents (6, 64, 8) and (8, 32, 2)       cross:           rows 8, width 32, mid 8
#pragma once

#include <optional>
#include <vector>

#include "search/point.h"

namespace tessera::search {

enum class MutationKind : std::uint8_t {
  kNeighbour,  // one hole moves to the next larger or smaller value
  kRedraw,     // one or two holes take any other value
  kTrade,      // two holes of one limit move in opposite directions: a factor goes to another level
  kStructure,  // another sketch (another compute location, order of loops, packing) with the same tile
};

class Mutator {
 public:
  /// `sketches` stays with the caller.
  explicit Mutator(const std::vector<Sketch>& sketches) : sketches_(&sketches) {}

  std::optional<Point> fresh(std::size_t sketch, Rng& rng) const;
  /// A valid point that differs from `p`; nullopt when this kind finds none.
  std::optional<Point> mutate(const Point& p, MutationKind kind, Rng& rng) const;
  /// A kind at random (structure 15 %, trade 15 %, the others 35 % each).
  std::optional<Point> mutate(const Point& p, Rng& rng) const;
  /// Each hole from one of the parents, in the sketch of `a`; holes that only `a` has keep its values.
  std::optional<Point> cross(const Point& a, const Point& b, Rng& rng) const;
  /// All valid points that differ from `p` in one hole by one step.
  std::vector<Point> neighbours(const Point& p) const;
  /// The valid point of `sketch` nearest to decisions of another space: by name, each hole at its
  /// closest value, or among its next ones where limits do not admit that.
  std::optional<Point> project(std::size_t sketch, const Decisions& wanted, Rng& rng) const;

 private:
  using Domains = std::vector<std::vector<std::int64_t>>;
  const Space& space(std::size_t sketch) const { return (*sketches_)[sketch].space; }
  Domains fixed(const Point& p) const;
  std::optional<Point> solved(std::size_t sketch, const Domains& domains, const Point& not_this, Rng& rng) const;

  const std::vector<Sketch>* sketches_;
};

}  // namespace tessera::search
