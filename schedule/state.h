// The scheduled program: what replaying a list of steps on a DAG gives. A value with copy-on-write
// stages; a cache, never stored (logs hold the steps).
//
// A stage has axes. Root axes are its dimensions and reduction axes; split and fuse derive new ones;
// the leaves, in order, are its loops. Extents here are upper bounds (exact unless the region a
// consumer needs varies); schedule/geometry.h gives the exact symbolic ones.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "dsl/dag.h"
#include "ir/stmt.h"
#include "support/result.h"

namespace tessera::schedule {

using ir::Buffer;
using ir::Expr;
using ir::Exprs;
using ir::ForKind;
using ir::Var;

enum class AxisKind : std::uint8_t { kData, kReduce };

struct Axis {
  std::string name;  // unique in the stage
  Var var;           // the loop variable when this is a leaf; runs over [0, extent)
  AxisKind kind = AxisKind::kData;
  std::int64_t extent = 1;
  ForKind loop = ForKind::kSerial;
  bool outlined = false;
  std::map<std::string, std::int64_t> notes;
};

/// parent = outer * factor + inner, or fused = outer * extent(inner) + inner.
struct Relation {
  enum class Kind : std::uint8_t { kSplit, kFuse } kind = Kind::kSplit;
  std::string whole, outer, inner;
  std::int64_t factor = 1;              // split only
  ir::Tail tail = ir::Tail::kPartition;  // split only
  // The inner loop runs its full count and each iteration is tested: needed when the inner loop does
  // not stand inside the outer one, or is fused.
  bool guarded = false;
};

/// A coordinate of the stage's statement: `coordinate` is the variable in the body.
struct RootAxis {
  std::string axis;
  Var coordinate;
  AxisKind kind = AxisKind::kData;
  std::int64_t extent = 1;  // of the whole dimension
  bool guarded = false;     // loops over the bound of its region, tests each iteration
};

struct Attach {
  std::string stage, axis;
  bool operator==(const Attach&) const = default;
};

enum class Placement : std::uint8_t { kRoot, kInline, kAt };

/// The box of its output that a stage computes at its place: lo and extent a dimension, in terms of
/// the loop variables outside; `bound` is the largest the extent gets.
struct Box {
  Exprs lo, extent;
  std::vector<std::int64_t> bound;
};

/// One piece of a storage order, outermost first: dimension `dim`, cut into blocks of `factor`. A
/// factor of 0 is what the other pieces of the dimension leave.  [k, j] in panels of 16 columns:
/// {1, 0} {0, 0} {1, 16}.
struct LayoutPart {
  int dim = 0;
  std::int64_t factor = 0;
  bool operator==(const LayoutPart&) const = default;
};

/// A matched row of the table of intrinsics (schedule/intrinsics.h).
struct Tensorized {
  std::string intrinsic;
  std::vector<std::string> axes;
  bool operator==(const Tensorized&) const = default;
};

/// What a loop of a stage brings near for the iteration `distance` further on.
struct PrefetchMark {
  std::string axis;
  std::string tensor;  // a stage
  std::int64_t distance = 1;
  int locality = 3;
  bool write = false;
  bool operator==(const PrefetchMark&) const = default;
};

/// The stride of dimension `dim` of the stored box is `offset` modulo `factor`, in elements.
struct StrideAlignment {
  int dim = 0;
  std::int64_t factor = 1, offset = 0;
  bool operator==(const StrideAlignment&) const = default;
};

struct Stage {
  std::string name;
  dsl::OperationKind kind = dsl::OperationKind::kCompute;
  bool is_output = false;  // of the whole program
  std::vector<Buffer> outputs;
  std::vector<RootAxis> roots;  // data axes first, then reduction axes
  Exprs body;
  std::string step_axis;        // of a scan: the root axis along which it steps
  std::int64_t given_rows = 0;  // of a scan: rows that its step does not compute
  std::optional<dsl::ExternCode> code;  // of an extern: it has no leaves
  std::vector<Axis> axes;
  std::vector<std::string> leaves;  // outermost first
  std::vector<Relation> relations;  // in the order of the steps
  Placement placement = Placement::kRoot;
  Attach at;                      // when kAt
  std::optional<Attach> store_at;  // default: where it is computed
  std::string init_axis;          // decompose_reduction: init just inside this leaf's parent position
  ir::Scope scope = ir::Scope::kGlobal;
  std::vector<LayoutPart> layout;  // of the stored box; empty: row-major
  std::vector<StrideAlignment> alignments;  // at most one a dimension
  std::int64_t swizzle = 0;       // elements of a chunk whose place in its row is XORed (shared memory); 0: none
  bool streaming = false;  // its stores go past the caches
  bool padded = false;     // computes its whole box in every iteration, zero outside of the tensor
  bool in_last_block = false;  // computed by the last block of the kernel before it (GPU)
  bool rolling = false;    // kept from one iteration of the loop `at` to the next
  std::vector<PrefetchMark> prefetches;
  std::optional<Tensorized> tensorized;
  int slots = 1;                  // pipelined copies of the buffer (GPU)
  std::string role;               // warp-specialised role (GPU)
  Box region;                     // kept by State::refresh

  bool is_input() const { return kind == dsl::OperationKind::kPlaceholder || kind == dsl::OperationKind::kConstant; }
  bool is_scan() const { return !step_axis.empty(); }
  bool is_extern() const { return code.has_value(); }
  bool is_reduction() const;
  const ir::Reduce* reduce() const { return body.empty() ? nullptr : body[0].as<ir::Reduce>(); }
  const Axis* find_axis(const std::string& axis) const;
  Axis* find_axis(const std::string& axis);
  /// Position among the leaves; -1 when it is none.
  int leaf_index(const std::string& axis) const;
  const Relation* split_into(const std::string& axis) const;  // the split that made `axis`
  std::vector<std::string> data_axes() const;                 // root axis names
};

class State {
 public:
  /// Every compute stage at root with one serial loop an axis.
  static Result<State> initial(std::shared_ptr<const dsl::ComputeDag> dag);

  const dsl::ComputeDag& dag() const { return *dag_; }
  const std::shared_ptr<const dsl::ComputeDag>& dag_ptr() const { return dag_; }
  std::size_t size() const { return stages_.size(); }
  /// Producers before consumers.
  const Stage& stage(std::size_t i) const { return *stages_[i]; }
  /// nullptr when there is none.
  const Stage* find(const std::string& name) const;
  int index_of(const std::string& name) const;
  Stage& edit(const std::string& name);  // clones the stage when it is shared
  void insert(std::size_t position, Stage stage);

  /// The stage that writes `b`; nullptr for buffers of no stage.
  const Stage* producer(const ir::BufferNode* b) const;
  /// Stages after `s` that read it, in order; inlined ones do not occur (they have been substituted), nor
  /// does the step of a scan, which reads rows of earlier iterations.
  std::vector<const Stage*> consumers(const Stage& s) const;
  /// A name that no stage has, from `hint`.
  bool name_taken(const std::string& name) const { return index_of(name) >= 0; }

  /// Whether a step other than use_algorithm has been applied.
  bool is_scheduled() const { return scheduled_; }
  void mark_scheduled() { scheduled_ = true; }
  /// Error bounds of the definition times this hold for the results; above 1, results need not be exact
  /// on operands on which the definition is.
  double error_factor() const { return error_factor_; }
  /// Multiply-adds of the definition that the algorithms chosen do without.
  double saved_multiply_adds() const { return saved_multiply_adds_; }
  void note_algorithm(double error_factor, double saved_multiply_adds) {
    error_factor_ *= error_factor;
    saved_multiply_adds_ += saved_multiply_adds;
  }

  /// Recomputes regions and extents; steps call it last. Refuses when a placement has become
  /// impossible (a consumer left the loop its producer is computed at).
  Status refresh();

  /// Loops as indented text with extents and annotations: what a person reads to see the schedule.
  std::string print_loops() const;

 private:
  std::shared_ptr<const dsl::ComputeDag> dag_;
  std::vector<std::shared_ptr<const Stage>> stages_;
  bool scheduled_ = false;
  double error_factor_ = 1;
  double saved_multiply_adds_ = 0;
};

/// The stages around `s`, innermost first: where it is computed, where that one is, ...
std::vector<Attach> attach_chain(const State& state, const Stage& s);

/// A named stage and axis, or a refusal that lists what exists.
Result<const Stage*> require_stage(const State& state, const std::string& stage);
Result<int> require_leaf(const Stage& s, const std::string& axis);

}  // namespace tessera::schedule
