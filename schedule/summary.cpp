#include "schedule/summary.h"

#include <algorithm>

#include "ir/mma.h"
#include "ir/rewrite.h"
#include "ir/simplify.h"
#include "schedule/geometry.h"
#include "schedule/storage.h"

namespace tessera::schedule {

namespace {

using ir::AccessSummary;

bool has_branch(const Expr& e) {
  bool found = false;
  ir::walk(e, [&](const Expr& x) {
    found |= x->kind == ir::ExprKind::kSelect || x->kind == ir::ExprKind::kIfThenElseExpr;
    return !found;
  });
  return found;
}

class Summarizer {
 public:
  explicit Summarizer(const State& state) : state_(state), bounds_(loop_bounds(state)) {}

  Result<ir::NestSummary> run() {
    TESSERA_TRY_DONE(place());
    const std::vector<std::string> prepared = prepared_stages(state_);
    for (const bool ahead : {true, false}) {
      for (std::size_t i = 0; i < state_.size(); ++i) {
        const Stage& s = state_.stage(i);
        const bool mine = (std::find(prepared.begin(), prepared.end(), s.name) != prepared.end()) == ahead;
        prepared_ = ahead;
        last_block_ = s.in_last_block;
        if (!s.is_input() && s.placement == Placement::kRoot && mine) nest(s);
      }
    }
    return std::move(out_);
  }

 private:
  /// Stands in for the buffers lowering will allocate.
  Status place() {
    for (std::size_t i = 0; i < state_.size(); ++i) {
      const Stage& s = state_.stage(i);
      StoredBox& box = boxes_[s.name];
      if (s.is_input() || s.is_output || s.placement == Placement::kInline) {
        box.base = Exprs(s.outputs[0].rank(), ir::int_imm(0));
        buffers_[s.name] = s.outputs;
        continue;
      }
      TESSERA_TRY(made, stored_box(state_, s));
      box = std::move(made);
      Exprs shape;
      for (const std::int64_t n : box.extents) shape.push_back(ir::int_imm(n));
      for (const Buffer& b : s.outputs) {
        buffers_[s.name].push_back(Buffer::fresh(b->name, b->dtype, shape, s.scope).with_layout(box.layout));
      }
    }
    return Done{};
  }

  void nest(const Stage& s) {
    if (s.is_extern()) return;  // opaque, and the same under every schedule
    const std::size_t depth = loops_.size();
    const std::size_t init_at = s.is_reduction() ? init_position(s) : SIZE_MAX;
    for (std::size_t l = 0; l <= s.leaves.size(); ++l) {
      if (l > 0) {
        for (std::size_t i = 0; i < state_.size(); ++i) {
          const Stage& q = state_.stage(i);
          if (q.placement == Placement::kAt && q.at == Attach{s.name, s.leaves[l - 1]}) nest(q);
        }
      }
      if (l == init_at) init(s, l);
      if (l < s.leaves.size()) push(*s.find_axis(s.leaves[l]), slots_at(state_, s, s.leaves[l]));
    }
    statement(s, s.reduce() != nullptr ? ir::Phase::kUpdate : ir::Phase::kWhole);
    loops_.resize(depth);
    vars_.resize(depth);
  }

  void push(const Axis& a, int slots) {
    // Loops that run once disappear when lowering simplifies, unless they are lanes.
    if (a.extent == 1 && a.loop != ForKind::kVector) return;
    loops_.push_back({a.extent, a.loop, ir::copies_of(a.loop, a.extent, a.notes), slots});
    vars_.push_back(a.var);
  }

  void init(const Stage& s, std::size_t from) {
    const std::size_t depth = loops_.size();
    for (std::size_t l = from; l < s.leaves.size(); ++l) {
      const Axis& a = *s.find_axis(s.leaves[l]);
      if (a.kind == AxisKind::kData) push(a, 1);
    }
    statement(s, ir::Phase::kInit);
    loops_.resize(depth);
    vars_.resize(depth);
  }

  void statement(const Stage& s, ir::Phase phase) {
    ir::StatementSummary st;
    st.stage = s.name;
    st.phase = phase;
    if (phase == ir::Phase::kUpdate && s.tensorized && ir::find_mma(s.tensorized->intrinsic) != nullptr) st.intrinsic = s.tensorized->intrinsic;
    st.prepared = prepared_;
    st.last_block = last_block_;
    st.loops = loops_;
    const ir::VarMap values = coordinate_values(s);
    Exprs index;
    for (std::size_t d = 0; d < s.roots.size() && s.roots[d].kind == AxisKind::kData; ++d) {
      index.push_back(values.at(s.roots[d].coordinate.id()));
    }
    for (std::size_t v = 0; v < s.outputs.size(); ++v) st.accesses.push_back(access(s, v, true, index));
    if (phase != ir::Phase::kInit) body(s, phase, values, index, st);
    out_.statements.push_back(std::move(st));
  }

  void body(const Stage& s, ir::Phase phase, const ir::VarMap& values, const Exprs& index, ir::StatementSummary& st) {
    const ir::Reduce* r = s.reduce();
    const bool update = phase == ir::Phase::kUpdate;
    if (update) {
      for (const Expr& e : r->combiner->result) st.ops += ir::count_operations(e);
    }
    const Exprs& work = update ? r->sources : s.body;
    for (std::size_t n = 0; n < work.size(); ++n) {
      // A border that this place never reaches is no branch once lowering has simplified it.
      const Expr e = has_branch(work[n]) ? ir::simplify(ir::substitute(work[n], values), bounds_) : work[n];
      // As the loops do: of each value of a tuple the old one is read, then what the new one is made of.
      for (std::size_t v = 0; update && v < s.outputs.size(); ++v) {
        if (s.body[v].as<ir::Reduce>()->index == static_cast<int>(n)) st.accesses.push_back(access(s, v, false, index));
      }
      st.ops += ir::count_operations(e);
      ir::walk(e, [&](const Expr& x) {
        const auto* load = x.as<ir::Load>();
        if (load == nullptr) return true;
        const Stage& p = *state_.producer(load->buffer.get());
        Exprs at;
        for (const Expr& i : load->indices) at.push_back(ir::substitute(i, values));
        std::size_t v = 0;
        while (p.outputs[v].get() != load->buffer.get()) ++v;
        st.accesses.push_back(access(p, v, false, at));
        return true;
      });
    }
  }

  AccessSummary access(const Stage& p, std::size_t v, bool write, const Exprs& logical) const {
    const StoredBox& box = boxes_.at(p.name);
    const Buffer& b = buffers_.at(p.name)[v];
    return ir::summarize_access(b, write, ir::simplify(b->layout.swizzled({}).offset(box.index(logical)), bounds_), vars_);
  }

  const State& state_;
  ir::Bounds bounds_;
  ir::NestSummary out_;
  bool prepared_ = false, last_block_ = false;  // of the nest that is summarised
  std::vector<ir::LoopSummary> loops_;
  std::vector<Var> vars_;
  std::map<std::string, StoredBox> boxes_;
  std::map<std::string, std::vector<Buffer>> buffers_;
};

}  // namespace

Result<ir::NestSummary> summarize(const State& state) { return Summarizer(state).run(); }

}  // namespace tessera::schedule
