#include "schedule/steps/common.h"

#include <algorithm>
#include <cctype>

#include "schedule/geometry.h"

namespace tessera::schedule {

Result<std::int64_t> value_of(const Param& p, const char* what, std::int64_t lo, std::int64_t hi) {
  if (p.is_open()) return refuse(what, " is the open hole '", p.hole, "'; give it a value first");
  if (p.value < lo || p.value > hi) return refuse(what, " is ", p.value, "; it must be between ", lo, " and ", hi);
  return p.value;
}

Result<const Stage*> require_compute(const State& state, const std::string& stage, const char* verb) {
  TESSERA_TRY(s, require_stage(state, stage));
  if (s->is_input()) return refuse("stage '", stage, "' is an input of the program; ", verb, " needs a computed stage");
  if (s->is_extern()) return refuse("stage '", stage, "' is extern: its statements stay as they were written; ", verb, " needs a stage that is computed by an expression");
  return s;
}

Result<LoopRef> require_plain_loop(const State& state, const std::string& stage, const std::string& axis,
                                   const char* verb) {
  TESSERA_TRY(s, require_compute(state, stage, verb));
  TESSERA_TRY(index, require_leaf(*s, axis));
  const Axis& a = *s->find_axis(axis);
  if (a.loop != ForKind::kSerial) {
    return refuse("loop '", axis, "' of stage '", stage, "' is already ", ir::to_string(a.loop), "; ", verb,
                  " needs a plain loop");
  }
  if (a.outlined) return refuse("loop '", axis, "' of stage '", stage, "' is outlined; ", verb, " needs a plain loop");
  return LoopRef{s, index};
}

namespace {

Status check_name(const std::string& name) {
  if (name.empty() || name.size() > 64) return refuse("a name has 1 to 64 characters, not ", name.size());
  const auto letter = [](char c) { return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '_' || c == '.'; };
  if (!std::all_of(name.begin(), name.end(), letter)) {
    return refuse("name '", name, "' may hold only letters, digits, '_' and '.'");
  }
  return Done{};
}

}  // namespace

Status require_new_axis(const Stage& s, const std::string& name) {
  TESSERA_TRY_DONE(check_name(name));
  if (s.find_axis(name) != nullptr) return refuse("stage '", s.name, "' already has an axis '", name, "'");
  return Done{};
}

Status require_new_stage(const State& state, const std::string& name) {
  TESSERA_TRY_DONE(check_name(name));
  if (state.name_taken(name)) return refuse("there is already a stage '", name, "'");
  return Done{};
}

void move_attachments(State& state, const std::string& stage, const std::string& from, const std::string& to) {
  for (std::size_t i = 0; i < state.size(); ++i) {
    const Stage& s = state.stage(i);
    const Attach old{stage, from};
    const bool computed = s.placement == Placement::kAt && s.at == old;
    const bool stored = s.store_at && *s.store_at == old;
    if (!computed && !stored) continue;
    Stage& edit = state.edit(s.name);
    if (computed) edit.at.axis = to;
    if (stored) edit.store_at->axis = to;
  }
  const Stage& s = *state.find(stage);
  if (s.init_axis == from) state.edit(stage).init_axis = to;
  if (!s.prefetches.empty()) {
    for (PrefetchMark& p : state.edit(stage).prefetches) p.axis = p.axis == from ? to : p.axis;
  }
}

std::vector<std::string> computed_inside(const State& state, const Stage& s, int leaf) {
  std::vector<std::string> out;
  for (std::size_t i = 0; i < state.size(); ++i) {
    const Stage& q = state.stage(i);
    if (q.placement == Placement::kAt && q.at.stage == s.name && s.leaf_index(q.at.axis) >= leaf) out.push_back(q.name);
  }
  return out;
}

void split_axis(Stage& s, const std::string& axis, const std::string& outer, const std::string& inner,
                std::int64_t factor, ir::Tail tail) {
  const AxisKind kind = s.find_axis(axis)->kind;
  s.axes.push_back({outer, Var::fresh(outer), kind, 1, ForKind::kSerial, false, {}});
  s.axes.push_back({inner, Var::fresh(inner), kind, 1, ForKind::kSerial, false, {}});
  Relation r;
  r.kind = Relation::Kind::kSplit;
  r.whole = axis;
  r.outer = outer;
  r.inner = inner;
  r.factor = factor;
  r.tail = tail;
  r.guarded = tail != ir::Tail::kPartition;
  s.relations.push_back(r);
  const auto at = s.leaves.begin() + s.leaf_index(axis);
  *at = inner;
  s.leaves.insert(at, outer);
}

namespace {

/// Position of the last loop that `axis` is made of (its value is known only inside that loop), or
/// of the first when `first`.
int position(const Stage& s, const std::string& axis, bool first) {
  for (const Relation& r : s.relations) {
    if (r.kind == Relation::Kind::kSplit && r.whole == axis) {
      const int a = position(s, r.outer, first), b = position(s, r.inner, first);
      return first ? std::min(a, b) : std::max(a, b);
    }
    if (r.kind == Relation::Kind::kFuse && (r.outer == axis || r.inner == axis)) return position(s, r.whole, first);
  }
  return s.leaf_index(axis);
}

}  // namespace

void guard_reordered(Stage& s) {
  for (Relation& r : s.relations) {
    if (r.kind != Relation::Kind::kSplit || r.guarded) continue;
    // The inner count depends on the outer value: every loop of the outer piece must come first.
    if (position(s, r.outer, false) >= position(s, r.inner, true)) r.guarded = true;
  }
}

void make_rectangular(Stage& s, const std::string& axis) {
  for (RootAxis& r : s.roots) {
    if (r.axis == axis && r.kind == AxisKind::kData) r.guarded = true;
  }
  for (Relation& r : s.relations) {
    if (r.kind == Relation::Kind::kSplit && r.inner == axis) r.guarded = true;
    // The outer count of a split follows the count of the whole.
    if (r.kind == Relation::Kind::kSplit && r.outer == axis) make_rectangular(s, r.whole);
    if (r.kind == Relation::Kind::kFuse && r.whole == axis) make_rectangular(s, r.outer);
  }
}

Result<State> finish_step(State state) {
  TESSERA_TRY_DONE(state.refresh());
  return state;
}

}  // namespace tessera::schedule
