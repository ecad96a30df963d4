// Dependences between whole stages, and which elements of a stage a point of shared loops needs.
#pragma once

#include <map>
#include <utility>
#include <vector>

#include "polyhedral/detail/scop.h"

namespace tessera::polyhedral::detail {

/// Maps from data coordinates of one stage to those of another, without names: what initialisations, updates
/// and reduction coordinates depend on is the element they belong to.
class StageReads {
 public:
  explicit StageReads(const ScopSets& sets);

  /// Strict dependences from `source` to `sink`, positions in Equations::stages; nullptr: none.
  const isl::map* between(int source, int sink) const;
  /// Elements of a stage that is no input.
  const isl::set& elements(int stage) const { return elements_.at(stage); }
  /// Whether all dependences from `source` to `sink` lead from `i` at coordinate `from` to the same `i` at `to`.
  bool keeps(int source, int from, int sink, int to) const;

 private:
  std::map<std::pair<int, int>, isl::map> edges_;
  std::map<int, isl::set> elements_;
};

/// Extents of the smallest box around a set without parameters; all 0 when it is empty.
std::vector<std::int64_t> box_extents(const isl::set& s);
/// Their product.
double box_volume(const isl::set& s);

/// What each point of some loops needs of a stage: loops -> elements.
isl::map at_coordinates(const isl::set& elements, const std::vector<int>& coordinates);
/// Only the points lo <= i < hi of loop `d`.
isl::map between_points(const isl::map& need, int d, std::int64_t lo, std::int64_t hi);
/// The same without loop `d`: what all its points need.
isl::map without_loop(const isl::map& need, int d);

}  // namespace tessera::polyhedral::detail
