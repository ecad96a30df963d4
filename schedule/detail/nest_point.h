// The summary of one point of a sketch: what schedule::summarize gives for its state.
#pragma once

#include "schedule/detail/point_geometry.h"

namespace tessera::schedule::detail {

class NestPoint {
 public:
  /// Overwrites `out`. False when the point exceeds what is kept of a sum; `out` is then meaningless.
  bool summarize(const NestShape& shape, std::span<const std::int64_t> holes, ir::NestSummary& out);

 private:
  enum class Truth : std::uint8_t { kFalse, kTrue, kOpen };

  void statement(const StatementShape& s, ir::StatementSummary& out);
  void loops(const StatementShape& s, ir::StatementSummary& out);
  std::int64_t slots_of(Atom loop) const;
  void items(const WorkItem* first, const WorkItem* last, ir::StatementSummary& out);
  /// The next access of the statement, at the place in index_, which it changes.
  void access(int stage, std::size_t value, bool write, ir::StatementSummary& out);
  /// The next access of the statement, to what its stage computes.
  void own(const StatementShape& s, std::size_t value, bool write, ir::StatementSummary& out);
  void strides(const IndexSum& offset, ir::AccessSummary& out);
  Truth decide(int condition);
  Truth compare(ConditionShape::Kind kind, const IndexSum& a, const IndexSum& b);

  const NestShape* shape_ = nullptr;
  PointGeometry geometry_;
  std::vector<Atom> loops_;     // of the statement, without those that run once
  std::size_t accesses_ = 0;    // of the statement, so far
  std::array<IndexSum, PointGeometry::kMostRank> index_;
};

}  // namespace tessera::schedule::detail
