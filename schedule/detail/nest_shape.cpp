#include "schedule/detail/nest_shape.h"

#include <algorithm>
#include <map>

#include "ir/mma.h"
#include "schedule/detail/body_shape.h"
#include "schedule/detail/point_geometry.h"
#include "schedule/detail/step_follower.h"
#include "schedule/geometry.h"
#include "schedule/scan.h"
#include "schedule/storage.h"

namespace tessera::schedule::detail {

namespace {

void insert(VariableSet& set, Atom a) { set[static_cast<std::size_t>(a) / 64] |= std::uint64_t{1} << (a % 64); }

/// The tables of a state whose numbers have been followed.
class ShapeBuilder {
 public:
  ShapeBuilder(NestShape& shape, const State& state, StepFollower& numbers)
      : shape_(shape), state_(state), numbers_(numbers), bodies_(shape, state, numbers) {}

  Status run() {
    for (std::size_t i = 0; i < state_.size(); ++i) {
      add_axes(state_.stage(i), static_cast<int>(i));
      bodies_.add_coordinates(state_.stage(i));
    }
    if (shape_.axes.size() + static_cast<std::size_t>(shape_.coordinates) > IndexAlgebra::kMostVariables) {
      return refuse("the program has more than ", IndexAlgebra::kMostVariables, " axes");
    }
    for (std::size_t i = 0; i < state_.size(); ++i) {
      TESSERA_TRY(s, stage(state_.stage(i)));
      shape_.stages.push_back(std::move(s));
    }
    for (std::size_t i = 0; i < state_.size(); ++i) {
      if (shape_.stages[i].computed) TESSERA_TRY_DONE(bodies_.read(state_.stage(i), shape_.stages[i]));
    }
    for (StageShape& s : shape_.stages) {
      for (const Stage* q : state_.consumers(*state_.find(s.name))) s.readers.push_back(state_.index_of(q->name));
    }
    return statements();
  }

 private:
  Atom axis(const Stage& s, const std::string& name) const { return axes_.at({s.name, name}); }

  void add_axes(const Stage& s, int index) {
    for (const Axis& a : s.axes) {
      axes_[{s.name, a.name}] = static_cast<Atom>(shape_.axes.size());
      AxisShape out;
      out.stage = index;
      out.loop = a.loop;
      if (a.notes.count("unroll") != 0) out.unroll = numbers_.unroll(s, a);
      for (std::size_t r = 0; r < s.roots.size(); ++r) {
        if (s.roots[r].axis == a.name) out.root = static_cast<int>(r);
      }
      // The first relation counts, as in geometry.cpp.
      for (std::size_t r = s.relations.size(); r-- > 0;) {
        const Relation& n = s.relations[r];
        const bool part = n.outer == a.name || n.inner == a.name, fused = n.kind == Relation::Kind::kFuse;
        if (fused ? n.whole == a.name : part) out.made_by = static_cast<int>(r);
        if (fused ? part : n.whole == a.name) out.used_by = static_cast<int>(r);
      }
      shape_.axes.push_back(out);
    }
  }

  PlaceShape place(const Attach& at) {
    PlaceShape out;
    out.chain.assign(state_.size(), 0);
    for (const auto& [stage, leaf] : fixed_at(state_, at)) {
      insert(out.fixed, axes_.at({stage, leaf}));
      out.chain[static_cast<std::size_t>(state_.index_of(stage))] = 1;
    }
    const auto known = std::find(places_.begin(), places_.end(), out.fixed);
    out.id = static_cast<int>(known - places_.begin());
    if (known == places_.end()) places_.push_back(out.fixed);
    return out;
  }

  Result<StageShape> stage(const Stage& s) {
    StageShape out;
    out.name = s.name;
    out.computed = !s.is_input() && s.placement != Placement::kInline;
    out.stored_whole = s.is_input() || s.is_output || !out.computed;
    out.placement = s.placement;
    out.scope = s.scope;
    for (const Buffer& b : s.outputs) {
      out.buffers.push_back(b->name);
      out.element_bytes.push_back(b->dtype.bytes());
      if (!out.stored_whole) continue;
      out.scope = b->scope;
      out.shape = b.extents();
      if (!b->layout.is_row_major() || b->layout.size() == 0) return refuse("tensor '", b->name, "' is not dense row-major");
    }
    for (const RootAxis& r : s.roots) {
      out.roots.push_back({axis(s, r.axis), bodies_.slot(r.coordinate), r.kind, numbers_.root_extent(s, r), r.guarded});
      out.rank += r.kind == AxisKind::kData ? 1 : 0;
    }
    for (const Relation& r : s.relations) {
      RelationShape n{r.kind, axis(s, r.whole), axis(s, r.outer), axis(s, r.inner), 0, r.guarded, r.tail == ir::Tail::kPad};
      if (r.kind == Relation::Kind::kSplit) n.factor = numbers_.factor(s, r);
      out.relations.push_back(n);
    }
    if (std::max(out.rank, out.shape.size()) > PointGeometry::kMostRank) return refuse("stage '", s.name, "' has too many dimensions");
    out.first_axis = s.axes.empty() ? 0 : axis(s, s.axes.front().name);
    out.last_axis = out.first_axis + static_cast<Atom>(s.axes.size());
    for (const std::string& l : s.leaves) insert(out.leaves, axis(s, l));
    if (out.computed && s.placement == Placement::kAt) {
      out.place = place(s.at);
      pipelined(s, out);
    }
    if (s.is_scan()) grow(s, out);
    out.padded = s.padded;
    out.stored_apart = s.store_at && !(*s.store_at == s.at);
    if (out.stored_apart) out.kept = place(*s.store_at);
    const std::vector<Number> factors = numbers_.layout(s);
    for (std::size_t i = 0; i < s.layout.size(); ++i) out.layout.emplace_back(s.layout[i].dim, factors[i]);
    out.alignments = s.alignments;
    return out;
  }

  void pipelined(const Stage& s, StageShape& out) {
    out.slots = numbers_.slots(s);
    out.slot_loop = axes_.at({s.at.stage, s.at.axis});
    shape_.axes[static_cast<std::size_t>(out.slot_loop)].slots.push_back(out.slots);
  }

  /// A scan has all rows before those that are read, and whole rows where elements meet.
  void grow(const Stage& s, StageShape& out) const {
    for (const bool alone : independent_dimensions(state_, s)) {
      const bool steps = s.roots[out.growth.size()].axis == s.step_axis;
      out.growth.push_back(alone ? Growth::kNone : steps ? Growth::kFromFirst : Growth::kWhole);
    }
  }

  // ---- the order of emission: as schedule::summarize ------------------------------------------------

  Status statements() {
    const std::vector<std::string> prepared = prepared_stages(state_);
    for (const bool ahead : {true, false}) {
      prepared_ = ahead;
      for (std::size_t i = 0; i < state_.size(); ++i) {
        const Stage& s = state_.stage(i);
        const bool mine = (std::find(prepared.begin(), prepared.end(), s.name) != prepared.end()) == ahead;
        last_block_ = s.in_last_block;
        if (!s.is_input() && s.placement == Placement::kRoot && mine) TESSERA_TRY_DONE(nest(s));
      }
    }
    return Done{};
  }

  Status nest(const Stage& s) {
    if (s.is_extern()) return Done{};
    const std::size_t depth = loops_.size();
    const std::size_t init_at = s.is_reduction() ? init_position(s) : SIZE_MAX;
    for (std::size_t l = 0; l <= s.leaves.size(); ++l) {
      for (std::size_t i = 0; l > 0 && i < state_.size(); ++i) {
        const Stage& q = state_.stage(i);
        if (q.placement == Placement::kAt && q.at == Attach{s.name, s.leaves[l - 1]}) TESSERA_TRY_DONE(nest(q));
      }
      if (l == init_at) init(s, l);
      if (l < s.leaves.size()) loops_.push_back(axis(s, s.leaves[l]));
    }
    TESSERA_TRY_DONE(bodies_.work(s, statement(s, s.reduce() != nullptr ? ir::Phase::kUpdate : ir::Phase::kWhole)));
    loops_.resize(depth);
    return Done{};
  }

  void init(const Stage& s, std::size_t from) {
    const std::size_t depth = loops_.size();
    for (std::size_t l = from; l < s.leaves.size(); ++l) {
      if (s.find_axis(s.leaves[l])->kind == AxisKind::kData) loops_.push_back(axis(s, s.leaves[l]));
    }
    statement(s, ir::Phase::kInit).plain_from = depth;
    loops_.resize(depth);
  }

  StatementShape& statement(const Stage& s, ir::Phase phase) {
    StatementShape& out = shape_.statements.emplace_back();
    out.stage = state_.index_of(s.name);
    out.phase = phase;
    out.prepared = prepared_;
    out.last_block = last_block_;
    if (phase == ir::Phase::kUpdate && s.tensorized && ir::find_mma(s.tensorized->intrinsic) != nullptr) out.intrinsic = s.tensorized->intrinsic;
    out.loops = loops_;
    for (const RootAxis& r : s.roots) {
      if (r.kind == AxisKind::kData) out.own.push_back(bodies_.slot(r.coordinate));
    }
    return out;
  }

  NestShape& shape_;
  const State& state_;
  StepFollower& numbers_;
  BodyShapes bodies_;
  std::map<std::pair<std::string, std::string>, Atom> axes_;
  std::vector<VariableSet> places_;  // by id
  std::vector<Atom> loops_;
  bool prepared_ = false, last_block_ = false;
};

}  // namespace

Result<std::shared_ptr<const NestShape>> NestShape::make(const State& initial, const StepList& steps,
                                                         const std::vector<std::string>& holes,
                                                         const std::vector<std::int64_t>& probe) {
  auto out = std::make_shared<NestShape>();
  StepFollower numbers(*out, holes);
  std::map<std::string, std::int64_t> values;
  for (std::size_t i = 0; i < holes.size(); ++i) values[holes[i]] = probe[i];
  TESSERA_TRY(filled, fill_holes(steps, values));
  State state = initial;
  for (std::size_t i = 0; i < steps.size(); ++i) {
    TESSERA_TRY(next, apply_step(state, filled[i]));
    TESSERA_TRY_DONE(numbers.follow(steps[i], state, next));
    state = std::move(next);
  }
  TESSERA_TRY_DONE(ShapeBuilder(*out, state, numbers).run());
  return std::shared_ptr<const NestShape>(std::move(out));
}

}  // namespace tessera::schedule::detail
