// The geometry of one point of a sketch: what geometry.h and storage.h say of its state, as sums over
// loop variables, without the state. One object serves any number of points and shapes in turn and
// keeps its memory.
#pragma once

#include <array>
#include <span>
#include <vector>

#include "schedule/detail/nest_shape.h"

namespace tessera::schedule::detail {

class PointGeometry {
 public:
  static constexpr std::size_t kMostRank = 8;

  /// Numbers, regions, extents and stored boxes of a point. `holes` in the order of NestShape::make.
  void begin(const NestShape& shape, std::span<const std::int64_t> holes);

  IndexAlgebra& algebra() { return algebra_; }
  /// False when what begin() was asked for is beyond this: results are then meaningless.
  bool told() const { return algebra_.fits(); }
  /// The largest trip count.
  std::int64_t number(Number n) const { return numbers_[static_cast<std::size_t>(n)]; }
  std::int64_t extent(Atom axis) const { return extents_[static_cast<std::size_t>(axis)]; }
  /// Coordinates and virtual coordinates of the stage in terms of its loops, for form() and value().
  void enter(int stage);
  const IndexSum& value(Slot s) const { return values_[static_cast<std::size_t>(s)]; }
  IndexSum form(const Form& f) { return evaluate(f, values_); }

  struct Digit {
    std::size_t dim = 0;
    std::int64_t divisor = 1, extent = 1, stride = 1;
    bool wraps = false;
  };
  struct Dim {
    IndexSum lo, extent;
    std::int64_t bound = 1;
  };
  using Box = std::array<Dim, kMostRank>;
  struct Stored {
    const Box* box = nullptr;  // nullptr: the caller's tensor
    std::vector<Digit> digits;
    std::int64_t elements = 0;
    std::int64_t row = 1;                 // extent of the last dimension
    std::int64_t slots = 1, in_slot = 0;  // of a pipelined stage: copies, elements of its first dimension in one
  };
  const Stored& stored(int stage) const { return stored_[static_cast<std::size_t>(stage)]; }

  /// Whether the comparison of a guard may fail for some value of its leaves.
  bool open(const Guard& g) const;
  /// Its axis value in terms of loops (of the stage entered), and the count it stays below.
  IndexSum guarded_value(const Guard& g) { return frame_value(g.value, values_); }
  std::int64_t guarded_count(const Guard& g) const;

 private:
  /// Values an axis takes at a place: see Spans in geometry.cpp.
  struct Span {
    IndexSum lo, hi;
    bool whole = false, point = false;
  };
  struct Frame {
    std::vector<std::int64_t> extent, count, weight;  // by axis: as a loop; rectangular; of one step in its root
  };

  void numbers(std::span<const std::int64_t> holes);
  void frame(const FrameShape& f, Frame& out);
  void region(int stage);
  /// The whole box in every iteration; up to whole tiles of the splits that pad.
  void pad(int stage);
  void extents(const StageShape& s);
  void store(int stage);
  void whole_extents(const StageShape& s, std::array<std::int64_t, kMostRank>& out) const;

  /// Whether a reader computes past the end of its tensor, and so asks for what is past the end of `s`.
  bool is_read_past_end(const StageShape& s) const;
  void required_region(int stage, const PlaceShape& place, Box& out);
  /// Where a coordinate ranges while the loops of a place hold still.
  const Span& coordinate_span(Slot slot, const PlaceShape& place);
  void outside_spans(int stage, const PlaceShape& place);
  /// always_whole of geometry.cpp, of a dimension that is read from lo to hi.
  bool is_always_whole(const IndexSum& lo, const IndexSum& hi);
  void intersect(Box& a, const Box& b, std::size_t rank);
  Span span(Atom axis, const PlaceShape& place);
  Span split_span(const RelationShape& r, Atom axis, const PlaceShape& place);
  Span fuse_span(const RelationShape& r, Atom axis, const PlaceShape& place);
  Span full(Atom axis, const PlaceShape& place);
  IndexSum span_extent(Atom axis, const PlaceShape& place);
  /// Of an index of `reader`.
  void form_range(int reader, const Form& f, const PlaceShape& place, IndexSum& lo, IndexSum& hi);
  /// FusedIndex of geometry.cpp: coordinates of fused axes that an index flattens become the fused axis, as a variable.
  IndexSum joined(const StageShape& reader, IndexSum index);
  /// The variable for an axis there; -1 where there is none.
  Atom joined_atom(const StageShape& s, Atom axis) const;
  void index_range(const IndexSum& index, const PlaceShape& place, IndexSum& lo, IndexSum& hi);
  void atom_range(Atom atom, const PlaceShape& place, IndexSum& lo, IndexSum& hi);

  IndexSum axis_extent(Atom axis);
  IndexSum axis_value(Atom axis);
  IndexSum evaluate(const Form& f, const std::vector<IndexSum>& at);
  IndexSum frame_value(const FrameValue& v, const std::vector<IndexSum>& at);

  const StageShape& stage_of(Atom axis) const {
    return shape_->stages[static_cast<std::size_t>(shape_->axes[static_cast<std::size_t>(axis)].stage)];
  }
  const AxisShape& shape_of(Atom axis) const { return shape_->axes[static_cast<std::size_t>(axis)]; }

  const NestShape* shape_ = nullptr;
  IndexAlgebra algebra_;
  std::vector<std::int64_t> numbers_, extents_;
  std::vector<Frame> frames_;
  std::vector<Box> regions_, kept_;    // by stage
  std::vector<Stored> stored_;         // by stage
  std::vector<IndexSum> coordinates_;  // by slot: itself, or the sum of coordinates that it is
  std::vector<IndexSum> values_;       // by slot
  std::vector<Span> spans_;            // by slot, at the place of span_place_
  std::vector<int> span_place_;
  std::vector<char> entered_;          // by stage
  std::vector<std::uint8_t> uneven_;   // by stage, a bit a dimension: of a padded box less is needed in some iteration
};

}  // namespace tessera::schedule::detail
