// What all points of a sketch have in common: its stages, axes, relations, places and accesses, with a
// numbered blank wherever a hole may enter. nest_point.h fills the blanks and does the sums.
//
// A partial stage of rfactor reads at coordinates of the reduction it was cut from. Those stay in its
// body as *virtual* coordinates, defined by the factors of a point:  k = k0*(U*L) + g*L + l.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "ir/nest_summary.h"
#include "schedule/detail/index_algebra.h"
#include "schedule/step.h"

namespace tessera::schedule::detail {

/// Position in the list of numbers of a point.
using Number = int;
/// Position in the list of coordinates: those of all stages, then the virtual ones.
using Slot = int;

/// constant + sum of coefficient * atom: an index expression over coordinates.
struct Form {
  std::int64_t constant = 0;
  std::vector<std::pair<std::int64_t, int>> terms;  // coefficient, position in NestShape::atoms
  bool plain = true;                                // all atoms are coordinates, none virtual
  bool operator==(const Form&) const = default;
};
struct FormAtom {
  enum class Kind : std::uint8_t { kCoordinate, kDiv, kMod, kMin, kMax } kind = Kind::kCoordinate;
  Slot slot = 0;
  std::int64_t divisor = 1;
  Form a, b;
};

/// A condition of a body; kOpen is never decided by coordinates, kInside is rfactor's (see Guard).
struct ConditionShape {
  enum class Kind : std::uint8_t { kConstant, kLess, kLessEqual, kEqual, kNotEqual, kAnd, kOr, kNot, kInside, kOpen };
  Kind kind = Kind::kOpen;
  bool value = false;   // of kConstant
  int first = 0, second = 0;  // of kAnd, kOr, kNot: conditions; of kInside: the guard
  Form a, b;            // of comparisons
};

struct ReadShape {
  int stage = 0;
  std::size_t value = 0;  // of the stage's outputs
  std::vector<Form> index;
  bool operator==(const ReadShape&) const = default;
};

/// A body in the order in which it is walked. A branch is followed by its condition, its yes and its
/// no part, `lengths` items each.
struct WorkItem {
  enum class Kind : std::uint8_t { kRead, kOps, kBranch } kind = Kind::kOps;
  ir::OpCounts ops;
  int index = 0;  // of the read or the condition
  std::array<int, 3> lengths{};
};

struct RelationShape {
  Relation::Kind kind = Relation::Kind::kSplit;
  Atom whole = 0, outer = 0, inner = 0;
  Number factor = 0;  // split only
  bool guarded = false, padded = false;
};

struct RootShape {
  Atom axis = 0;
  Slot slot = 0;
  AxisKind kind = AxisKind::kData;
  Number extent = 0;
  bool guarded = false;
};

/// Loops that hold still at a place, and the stages they belong to.
struct PlaceShape {
  int id = -1;  // equal for equal places
  VariableSet fixed{};
  std::vector<char> chain;  // by stage
};

/// What a scan adds to a dimension of the box that is read of it.
enum class Growth : std::uint8_t { kNone, kFromFirst, kWhole };

struct StageShape {
  std::string name;
  bool computed = false;  // neither an input nor inlined
  bool stored_whole = false;  // as the caller's tensor, row-major
  Placement placement = Placement::kRoot;
  ir::Scope scope = ir::Scope::kGlobal;
  std::vector<std::string> buffers;  // by output value
  std::vector<int> element_bytes;
  std::vector<std::int64_t> shape;   // where stored_whole
  std::vector<RootShape> roots;
  std::size_t rank = 0;              // data roots, which come first
  std::vector<RelationShape> relations;
  Atom first_axis = 0, last_axis = 0;  // one after the last
  VariableSet leaves{};
  PlaceShape place;                  // when kAt
  Number slots = -1;                 // of a pipelined stage, along slot_loop
  Atom slot_loop = 0;
  std::vector<Growth> growth;        // by dimension; empty: no scan
  bool stored_apart = false;         // store_at, at another loop
  bool padded = false;               // computes its whole box
  PlaceShape kept;
  std::vector<std::pair<int, Number>> layout;  // dimension, factor (LayoutPart); empty: row-major
  std::vector<StrideAlignment> alignments;
  std::vector<int> readers;                    // stages
  std::vector<int> reads;                      // all in its body
  std::vector<Slot> virtuals;                  // that its body uses, each after those it is made of
};

/// How an axis hangs in its stage: positions in StageShape::roots and relations, -1 for none.
struct AxisShape {
  int stage = 0;
  ir::ForKind loop = ir::ForKind::kSerial;
  int root = -1, made_by = -1, used_by = -1;
  Number unroll = -1;  // copies of its body, -1 where nothing asks for them
  std::vector<Number> slots{};  // of the stages that are pipelined along it
};

struct StatementShape {
  int stage = 0;
  ir::Phase phase = ir::Phase::kWhole;
  bool prepared = false, last_block = false;
  std::string intrinsic;    // of a warp's product
  std::vector<Atom> loops;  // outermost first
  std::size_t plain_from = SIZE_MAX;  // loops of an init from here on are copies, without pipelines
  ir::OpCounts ops;         // of the combiner
  std::vector<Slot> own;    // the index of its writes
  /// For each value of the body: which outputs are read before it, and its items.
  struct Part {
    std::vector<std::size_t> accumulated;
    std::vector<WorkItem> items;
  };
  std::vector<Part> parts;
};

/// The reduction that an rfactor step cuts: its axes by position, as they were before the step.
struct FrameShape {
  struct Split {
    int whole = 0, outer = 0, inner = 0;
    Number factor = 0;
    bool guarded = false;
  };
  std::vector<std::pair<int, Number>> roots;   // axis, extent
  std::vector<Split> splits;                   // in the order of the steps
  std::vector<std::vector<int>> leaves_below;  // by axis
  std::vector<std::pair<int, Number>> results;  // leaf, where its extent is written
};

/// A virtual coordinate, or the value that a guard compares: an axis of a frame over coordinates that
/// stand for its leaves.
struct FrameValue {
  int frame = 0, axis = 0;
  std::vector<Slot> leaves;  // by axis of the frame; only leaves are set
};
/// axis value < its count, where that does not hold for all values of the leaves.
struct Guard {
  FrameValue value;
};

/// number[to] = product of the numbers.
struct Product {
  Number to = 0;
  std::vector<Number> factors;
};

struct NestShape {
  std::vector<std::int64_t> numbers;  // constants in place, the rest is computed; holes come first
  std::size_t holes = 0;
  /// In the order of the steps: a product (>= 0) or a frame (-1 - position).
  std::vector<int> computation;
  std::vector<Product> products;
  std::vector<FrameShape> frames;
  std::vector<FrameValue> virtuals;  // slot - coordinates
  std::vector<Guard> guards;
  int coordinates = 0;
  std::vector<std::pair<int, int>> owners;  // of a coordinate: stage, root
  std::vector<StageShape> stages;
  std::vector<AxisShape> axes;
  std::vector<FormAtom> atoms;
  std::vector<ConditionShape> conditions;
  std::vector<ReadShape> reads;
  std::vector<StatementShape> statements;

  /// From a replay of `steps` with the holes at `probe`. Refuses what has no shape of its own: holes in
  /// steps that change more than numbers, indices that are looked up.
  static Result<std::shared_ptr<const NestShape>> make(const State& initial, const StepList& steps,
                                                       const std::vector<std::string>& holes,
                                                       const std::vector<std::int64_t>& probe);
};

}  // namespace tessera::schedule::detail
