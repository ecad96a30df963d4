#include "schedule/state.h"

#include <algorithm>
#include <set>

#include <functional>

#include "ir/print.h"
#include "ir/rewrite.h"
#include "schedule/geometry.h"
#include "schedule/invariants.h"
#include "schedule/rolling.h"
#include "schedule/scan.h"

namespace tessera::schedule {

namespace {

std::string list_of(const std::vector<std::string>& names) {
  std::string out;
  for (const std::string& n : names) out += (out.empty() ? "" : ", ") + n;
  return out.empty() ? "none" : out;
}

/// Every value of a reduced tuple takes part in combining, so the stage keeps those too that the
/// program does not ask for.
void keep_all_values(Stage& s) {
  const ir::Reduce* r = s.reduce();
  if (r == nullptr) return;
  for (int v = 0; v < static_cast<int>(r->sources.size()); ++v) {
    const auto holds = [&](const Expr& body) { return body.as<ir::Reduce>()->index == v; };
    if (std::any_of(s.body.begin(), s.body.end(), holds)) continue;
    const ir::Type type = r->sources[static_cast<std::size_t>(v)].type();
    s.outputs.push_back(Buffer::fresh(s.name + ".kept" + std::to_string(v), type, s.outputs[0]->shape));
    s.body.push_back(ir::make<ir::Reduce>(r->combiner, r->sources, r->axes, v));
  }
}

Result<Stage> initial_stage(const dsl::Stage& d, const std::vector<Buffer>& program_outputs) {
  Stage s;
  s.name = d.name;
  s.kind = d.kind;
  s.outputs = d.outputs;
  s.body = d.body;
  s.code = d.code;
  keep_all_values(s);
  for (const Buffer& b : d.outputs) {
    s.is_output |= std::find(program_outputs.begin(), program_outputs.end(), b) != program_outputs.end();
  }
  const auto add = [&](const dsl::Axis& a, AxisKind kind) -> Status {
    std::int64_t n = 0;
    if (!is_const_int(a.extent, &n)) {
      return refuse("stage '", d.name, "' has the symbolic extent ", ir::to_string(a.extent),
                    "; give its symbols values first (scheduling symbolic extents is not supported yet)");
    }
    std::string name = a.name();
    for (int i = 1; s.find_axis(name) != nullptr; ++i) name = a.name() + "_" + std::to_string(i);
    s.roots.push_back({name, a.var, kind, n, false});
    s.axes.push_back({name, Var::fresh(name), kind, n, ForKind::kSerial, false, {}});
    if (!d.code) s.leaves.push_back(name);
    return Done{};
  };
  for (const dsl::Axis& a : d.axes) TESSERA_TRY_DONE(add(a, AxisKind::kData));
  for (const dsl::Axis& a : d.reduce_axes) TESSERA_TRY_DONE(add(a, AxisKind::kReduce));
  if (d.scan) {
    s.step_axis = s.roots[static_cast<std::size_t>(d.scan->axis)].axis;
    s.given_rows = d.scan->rows;
  }
  return s;
}

/// The stages of a step start inside its innermost loop that steps.
void place_steps(State& state) {
  for (std::size_t i = 0; i < state.size(); ++i) {
    const Stage* scan = scan_around(state, state.stage(i));
    if (scan == nullptr) continue;
    Stage& s = state.edit(state.stage(i).name);
    s.placement = Placement::kAt;
    s.at = {scan->name, scan->step_axis};
  }
}

/// Dimensions along which a step reads elements other than its own stand inside the steps.
void order_step_loops(State& state) {
  for (std::size_t i = 0; i < state.size(); ++i) {
    if (!state.stage(i).is_scan() || state.stage(i).leaves[0] == state.stage(i).step_axis) continue;
    const std::vector<bool> independent = independent_dimensions(state, state.stage(i));
    Stage& s = state.edit(state.stage(i).name);
    std::vector<std::string> outside, inside;
    for (std::size_t d = 0, step = static_cast<std::size_t>(s.leaf_index(s.step_axis)); d < s.leaves.size(); ++d) {
      (d == step || (d < step && independent[d]) ? outside : inside).push_back(s.leaves[d]);
    }
    outside.insert(outside.end(), inside.begin(), inside.end());
    s.leaves = std::move(outside);
  }
}

Box whole_region(const Stage& s) {
  Box b;
  for (const RootAxis& r : s.roots) {
    if (r.kind != AxisKind::kData) continue;
    b.lo.push_back(ir::int_imm(0));
    b.extent.push_back(ir::int_imm(r.extent));
    b.bound.push_back(r.extent);
  }
  return b;
}

/// Every stage that reads `s` must run inside the loop at which `s` is computed.
Status check_readers_inside(const State& state, const Stage& s) {
  const Stage& host = *state.find(s.at.stage);
  const int at = host.leaf_index(s.at.axis);
  for (const Stage* q : state.consumers(s)) {
    if (q->name == host.name) continue;
    bool inside = false;
    for (const Attach& a : attach_chain(state, *q)) {
      inside |= a.stage == host.name && host.leaf_index(a.axis) >= at;
    }
    if (!inside) {
      return refuse("stage '", s.name, "' cannot be computed at loop '", s.at.axis, "' of '", host.name,
                    "': its reader '", q->name, "' does not run inside that loop");
    }
  }
  return Done{};
}

void set_extents(Stage& s) {
  std::size_t d = 0;
  for (const RootAxis& r : s.roots) {
    s.find_axis(r.axis)->extent = r.kind == AxisKind::kData ? s.region.bound[d] : r.extent;
    ++d;
  }
  for (const Relation& r : s.relations) {
    if (r.kind == Relation::Kind::kFuse) {
      s.find_axis(r.whole)->extent = s.find_axis(r.outer)->extent * s.find_axis(r.inner)->extent;
      continue;
    }
    const std::int64_t n = s.find_axis(r.whole)->extent;
    s.find_axis(r.outer)->extent = (n + r.factor - 1) / r.factor;
    s.find_axis(r.inner)->extent = r.guarded ? r.factor : std::min(r.factor, n);
  }
}

/// The whole box in every iteration; up to whole tiles of the splits that pad, also past the end of a tensor that
/// is smaller than a tile.
void pad(const Stage& s, Box& box) {
  for (std::size_t d = 0; d < box.extent.size(); ++d) {
    for (const Relation& r : s.relations) {
      const bool whole = r.kind == Relation::Kind::kSplit && r.tail == ir::Tail::kPad && r.whole == s.roots[d].axis;
      if (whole) box.bound[d] = (box.bound[d] + r.factor - 1) / r.factor * r.factor;
    }
    box.extent[d] = ir::int_imm(box.bound[d]);
  }
}

const char* placement_word(Placement p) { return p == Placement::kRoot ? "root" : "inlined"; }

}  // namespace

bool Stage::is_reduction() const {
  return std::any_of(roots.begin(), roots.end(), [](const RootAxis& r) { return r.kind == AxisKind::kReduce; });
}

const Axis* Stage::find_axis(const std::string& axis) const {
  for (const Axis& a : axes) {
    if (a.name == axis) return &a;
  }
  return nullptr;
}

Axis* Stage::find_axis(const std::string& axis) {
  return const_cast<Axis*>(static_cast<const Stage*>(this)->find_axis(axis));
}

int Stage::leaf_index(const std::string& axis) const {
  const auto it = std::find(leaves.begin(), leaves.end(), axis);
  return it == leaves.end() ? -1 : static_cast<int>(it - leaves.begin());
}

const Relation* Stage::split_into(const std::string& axis) const {
  for (const Relation& r : relations) {
    if (r.kind == Relation::Kind::kSplit && (r.outer == axis || r.inner == axis)) return &r;
  }
  return nullptr;
}

std::vector<std::string> Stage::data_axes() const {
  std::vector<std::string> out;
  for (const RootAxis& r : roots) {
    if (r.kind == AxisKind::kData) out.push_back(r.axis);
  }
  return out;
}

Result<State> State::initial(std::shared_ptr<const dsl::ComputeDag> dag) {
  State state;
  for (const dsl::Stage& d : dag->stages()) {
    TESSERA_TRY(stage, initial_stage(d, dag->outputs()));
    state.stages_.push_back(std::make_shared<const Stage>(std::move(stage)));
  }
  state.dag_ = std::move(dag);
  order_step_loops(state);
  place_steps(state);
  TESSERA_TRY_DONE(state.refresh());
  return state;
}

int State::index_of(const std::string& name) const {
  for (std::size_t i = 0; i < stages_.size(); ++i) {
    if (stages_[i]->name == name) return static_cast<int>(i);
  }
  return -1;
}

const Stage* State::find(const std::string& name) const {
  const int i = index_of(name);
  return i < 0 ? nullptr : stages_[static_cast<std::size_t>(i)].get();
}

Stage& State::edit(const std::string& name) {
  const int i = index_of(name);
  TESSERA_CHECK(i >= 0) << "no stage '" << name << "'";
  auto copy = std::make_shared<Stage>(*stages_[static_cast<std::size_t>(i)]);
  Stage& out = *copy;
  stages_[static_cast<std::size_t>(i)] = std::move(copy);
  return out;
}

void State::insert(std::size_t position, Stage stage) {
  stages_.insert(stages_.begin() + static_cast<std::ptrdiff_t>(position), std::make_shared<const Stage>(std::move(stage)));
}

const Stage* State::producer(const ir::BufferNode* b) const {
  for (const auto& s : stages_) {
    for (const Buffer& o : s->outputs) {
      if (o.get() == b) return s.get();
    }
  }
  return nullptr;
}

std::vector<const Stage*> State::consumers(const Stage& s) const {
  std::vector<const Stage*> out;
  bool after = false;
  for (const auto& q : stages_) {
    const bool own = q->name == s.name;
    after |= own;
    if (!after || own || q->placement == Placement::kInline || q->is_input()) continue;
    bool reads = false;
    for (const Buffer& o : s.outputs) {
      reads |= q->code && std::find(q->code->reads.begin(), q->code->reads.end(), o) != q->code->reads.end();
    }
    for (const Expr& body : q->body) {
      ir::walk(body, [&](const Expr& e) {
        const auto* l = e.as<ir::Load>();
        if (l != nullptr) {
          for (const Buffer& o : s.outputs) reads |= o.get() == l->buffer.get();
        }
        return !reads;
      });
    }
    if (reads) out.push_back(q.get());
  }
  return out;
}

Status State::refresh() {
  for (std::size_t i = stages_.size(); i-- > 0;) {
    const Stage& s = *stages_[i];
    if (s.is_input() || s.placement == Placement::kInline) continue;
    Stage next = s;
    if (s.placement == Placement::kRoot) {
      next.region = whole_region(s);
    } else {
      const Stage* host = find(s.at.stage);
      if (host == nullptr || host->placement == Placement::kInline || host->is_input()) {
        return refuse("stage '", s.name, "' is computed at '", s.at.stage, "', which is not a computed stage any more");
      }
      if (host->leaf_index(s.at.axis) < 0) {
        return refuse("stage '", s.name, "' is computed at loop '", s.at.axis, "' of '", host->name,
                      "', which is no loop of it any more; its loops are ", list_of(host->leaves));
      }
      TESSERA_TRY_DONE(check_readers_inside(*this, s));
      TESSERA_TRY(box, required_region(*this, s, fixed_at(*this, s.at)));
      if (s.store_at && !(*s.store_at == s.at) && find(s.store_at->stage) != nullptr) {
        // Both boxes cover what is read, each in its own way: only what both hold is computed.
        TESSERA_TRY(kept, required_region(*this, s, fixed_at(*this, *s.store_at)));
        box = intersection(box, kept, loop_bounds(*this));
      }
      if (s.rolling) {
        TESSERA_TRY(fresh, rolled_box(*this, s, box));
        box = std::move(fresh);
      }
      if (s.padded) pad(s, box);
      next.region = std::move(box);
    }
    set_extents(next);
    stages_[i] = std::make_shared<const Stage>(std::move(next));
  }
  return check_invariants(*this);
}

std::string State::print_loops() const {
  std::ostringstream out;
  const std::function<void(const Stage&, int)> print = [&](const Stage& s, int indent) {
    const std::string pad(static_cast<std::size_t>(indent) * 2, ' ');
    for (std::size_t l = 0; l < s.leaves.size(); ++l) {
      const Axis& a = *s.find_axis(s.leaves[l]);
      out << pad << std::string(2 * l, ' ') << "for " << s.name << "." << a.name << " in 0.." << a.extent;
      if (a.loop != ForKind::kSerial) out << " " << ir::to_string(a.loop);
      if (a.kind == AxisKind::kReduce) out << " reduce";
      if (s.is_scan() && static_cast<int>(l) == innermost_step(s)) out << " step";
      if (a.outlined) out << " outline";
      for (const auto& [k, v] : a.notes) out << " @" << k << "=" << v;
      out << "\n";
      for (const PrefetchMark& p : s.prefetches) {
        if (p.axis == a.name) out << pad << std::string(2 * l + 2, ' ') << "prefetch " << p.tensor << " " << p.distance << " ahead\n";
      }
      for (const auto& q : stages_) {
        if (q->placement == Placement::kAt && q->at == Attach{s.name, a.name}) print(*q, indent + static_cast<int>(l) + 1);
      }
    }
    out << pad << std::string(2 * s.leaves.size(), ' ') << s.name << (s.is_extern() ? " = extern" : " = ...");
    if (s.scope != ir::Scope::kGlobal) out << "  (" << ir::to_string(s.scope) << ")";
    if (s.store_at) out << "  (stored at " << s.store_at->stage << "." << s.store_at->axis << ")";
    if (s.rolling) out << "  (rolling)";
    if (s.streaming) out << "  (streaming)";
    if (s.padded) out << "  (padded)";
    if (s.in_last_block) out << "  (in the last block)";
    if (s.slots > 1) out << "  (" << s.slots << " slots)";
    if (s.swizzle != 0) out << "  (chunks of " << s.swizzle << " swizzled)";
    for (const StrideAlignment& a : s.alignments) out << "  (stride of " << s.data_axes()[static_cast<std::size_t>(a.dim)] << " % " << a.factor << " = " << a.offset << ")";
    out << "\n";
  };
  for (const auto& s : stages_) {
    if (s->is_input()) continue;
    if (s->placement == Placement::kInline) out << s->name << " " << placement_word(s->placement) << "\n";
    if (s->placement == Placement::kRoot) print(*s, 0);
  }
  return out.str();
}

std::vector<Attach> attach_chain(const State& state, const Stage& s) {
  std::vector<Attach> out;
  for (const Stage* at = &s; at != nullptr && at->placement == Placement::kAt && out.size() <= state.size();
       at = state.find(at->at.stage)) {
    out.push_back(at->at);
  }
  return out;
}

Result<const Stage*> require_stage(const State& state, const std::string& stage) {
  const Stage* s = state.find(stage);
  if (s == nullptr) {
    std::vector<std::string> names;
    for (std::size_t i = 0; i < state.size(); ++i) names.push_back(state.stage(i).name);
    return refuse("there is no stage '", stage, "'; stages are ", list_of(names));
  }
  if (s->placement == Placement::kInline) return refuse("stage '", stage, "' has been inlined");
  return s;
}

Result<int> require_leaf(const Stage& s, const std::string& axis) {
  const int i = s.leaf_index(axis);
  if (i >= 0) return i;
  const bool derived = s.find_axis(axis) != nullptr;
  return refuse("'", axis, "' is ", derived ? "no loop any more of" : "no axis of", " stage '", s.name,
                "'; its loops are ", list_of(s.leaves));
}

}  // namespace tessera::schedule
