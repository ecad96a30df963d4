#include "schedule/scan.h"

#include <algorithm>

#include "dsl/step_shape.h"
#include "ir/print.h"
#include "ir/rewrite.h"
#include "ir/simplify.h"
#include "schedule/geometry.h"

namespace tessera::schedule {

namespace {

bool reads(const Stage& s, const Stage& of) {
  bool found = false;
  for (const Expr& body : s.body) {
    ir::walk(body, [&](const Expr& e) {
      const auto* l = e.as<ir::Load>();
      for (const Buffer& o : of.outputs) found |= l != nullptr && o.get() == l->buffer.get();
      return !found;
    });
  }
  return found;
}

bool has_scan(const State& state) {
  for (std::size_t i = 0; i < state.size(); ++i) {
    if (state.stage(i).is_scan()) return true;
  }
  return false;
}

/// A loop that a dimension is made of, and whether it is shared with another one.
struct Part {
  std::string loop;
  bool fused = false;
};

/// The loops that `axis` is made of, the slowest first.
void parts_of(const Stage& s, const std::string& axis, bool fused, std::vector<Part>& out) {
  for (const Relation& r : s.relations) {
    if (r.kind == Relation::Kind::kSplit && r.whole == axis) {
      parts_of(s, r.outer, fused, out);
      parts_of(s, r.inner, fused, out);
      return;
    }
    if (r.kind == Relation::Kind::kFuse && (r.outer == axis || r.inner == axis)) return parts_of(s, r.whole, true, out);
  }
  if (std::none_of(out.begin(), out.end(), [&](const Part& p) { return p.loop == axis; })) out.push_back({axis, fused});
}

std::vector<Part> parts_of(const Stage& s, const std::string& axis) {
  std::vector<Part> out;
  parts_of(s, axis, false, out);
  return out;
}

Status check_step_loops(const Stage& s) {
  int last = -1;
  for (const auto& [l, fused] : parts_of(s, s.step_axis)) {
    if (fused) return refuse("loop '", l, "' of stage '", s.name, "' fuses '", s.step_axis, "', along which the scan steps, with another; fuse its other loops");
    const Axis& a = *s.find_axis(l);
    if (a.loop != ForKind::kSerial && a.loop != ForKind::kUnroll) {
      return refuse("loop '", l, "' of stage '", s.name, "' would be ", ir::to_string(a.loop), ": it steps along the scan, and each step reads the one before; ",
                    "take a loop over another dimension");
    }
    const int at = s.leaf_index(l);
    if (at < last) {
      return refuse("loop '", l, "' of stage '", s.name, "' would run outside of '", s.leaves[static_cast<std::size_t>(last)],
                    "', and the scan steps along both; keep them in this order");
    }
    last = at;
  }
  return Done{};
}

Status check_other_loops(const State& state, const Stage& s) {
  const std::vector<bool> independent = independent_dimensions(state, s);
  const int inside = innermost_step(s);
  for (std::size_t d = 0; d < independent.size(); ++d) {
    if (independent[d] || s.roots[d].axis == s.step_axis) continue;
    for (const auto& [l, fused] : parts_of(s, s.roots[d].axis)) {
      if (s.leaf_index(l) > inside) continue;
      return refuse("loop '", l, "' of stage '", s.name, "' would run outside of '", s.leaves[static_cast<std::size_t>(inside)],
                    "', along which the scan steps: a step reads elements of '", s.roots[d].axis, "' other than its own, so a row is complete before the next");
    }
  }
  return Done{};
}

Status check_place(const Stage& s) {
  if (s.placement != Placement::kAt) return Done{};
  const auto d = static_cast<std::size_t>(std::find_if(s.roots.begin(), s.roots.end(), [&](const RootAxis& r) { return r.axis == s.step_axis; }) - s.roots.begin());
  if (is_const_int(s.region.extent[d])) return Done{};
  return refuse("scan '", s.name, "' cannot be computed at loop '", s.at.axis, "' of '", s.at.stage, "': its rows from the first on would be computed again in every iteration; ",
                "take a loop that does not run along '", s.step_axis, "'");
}

Status check_storage(const Stage& s) {
  if (s.scope == ir::Scope::kRegister) return refuse("scan '", s.name, "' keeps its rows in memory; a register tile is addressed by constants");
  if (s.rolling) return refuse("scan '", s.name, "' reads rows of all iterations; it does not roll");
  if (s.streaming) return refuse("scan '", s.name, "' reads back what it stores; cache_read it and stream the copy");
  for (const Relation& r : s.relations) {
    if (r.kind == Relation::Kind::kSplit && r.tail == ir::Tail::kPad) {
      return refuse("the split of '", r.whole, "' of scan '", s.name, "' pads: rows and elements that do not exist have no step; use 'partition' or 'guard'");
    }
  }
  return Done{};
}

/// What an iteration of the loops outside computes of a step is a box, and rows for all of it must have been
/// computed by the same iteration: it may not hold elements of another.
Status check_box(const State& state, const Stage& s, const Stage& scan, int place) {
  const std::vector<bool> independent = independent_dimensions(state, scan);
  for (std::size_t d = 0; d < independent.size(); ++d) {
    if (!independent[d]) continue;  // whole rows are there
    const RootAxis& r = scan.roots[d];
    bool inside = false;
    const std::vector<Part> parts = parts_of(scan, r.axis);
    for (const Part& p : parts) {
      const bool fixed = scan.leaf_index(p.loop) <= place;
      const bool torn = p.fused && fixed != (scan.leaf_index(parts.back().loop) <= place);
      if ((fixed && inside) || torn) {
        return refuse("stage '", s.name, "' takes part in every step of scan '", scan.name, "', and loop '", p.loop, "' of '", scan.name,
                      "' outside of it leaves '", r.axis, "' in pieces that are no block; of a dimension, the slower loops stand outside");
      }
      inside |= !fixed;
    }
  }
  return Done{};
}

/// A stage of a step runs inside every loop that steps.
Status check_part(const State& state, const Stage& s, const Stage& scan) {
  for (const Attach& a : attach_chain(state, s)) {
    const int place = scan.leaf_index(a.axis);
    if (a.stage == scan.name && place >= innermost_step(scan)) return check_box(state, s, scan, place);
  }
  return refuse("stage '", s.name, "' takes part in every step of scan '", scan.name, "' and is computed inside of loop '",
                scan.leaves[static_cast<std::size_t>(innermost_step(scan))], "' of it, not outside");
}

}  // namespace

const Stage* scan_around(const State& state, const Stage& s) {
  if (s.is_input() || !has_scan(state)) return nullptr;
  const int at = state.index_of(s.name);
  for (std::size_t i = static_cast<std::size_t>(at) + 1; i < state.size(); ++i) {
    if (!state.stage(i).is_scan()) continue;
    const std::vector<const Stage*> step = step_of(state, state.stage(i));
    if (std::find(step.begin(), step.end() - 1, &s) != step.end() - 1) return &state.stage(i);
  }
  return nullptr;
}

std::vector<const Stage*> step_of(const State& state, const Stage& scan) {
  std::vector<const Stage*> out;
  for (std::size_t i = 0; i < state.size(); ++i) {
    const Stage& s = state.stage(i);
    if (&s == &scan) break;
    if (s.is_input() || s.placement == Placement::kInline) continue;
    bool part = reads(s, scan);
    for (const Stage* p : out) part |= reads(s, *p);
    if (part) out.push_back(&s);
  }
  out.push_back(&scan);
  return out;
}

std::vector<bool> independent_dimensions(const State& state, const Stage& scan) {
  std::vector<dsl::StepPart> parts;
  int axis = 0;
  for (const Stage* s : step_of(state, scan)) {
    dsl::StepPart p{s->outputs, {}, &s->body};
    for (const RootAxis& r : s->roots) {
      if (s == &scan && r.axis == scan.step_axis) axis = static_cast<int>(p.coordinates.size());
      if (r.kind == AxisKind::kData) p.coordinates.push_back(r.coordinate);
    }
    parts.push_back(std::move(p));
  }
  return dsl::independent_dimensions(parts, axis);
}

std::vector<std::string> step_parts(const State& state, const Stage& scan) {
  std::vector<std::string> out;
  for (const Stage* s : step_of(state, scan)) {
    if (s->name != scan.name) out.insert(out.begin(), s->name);
  }
  return out;
}

std::vector<std::string> axes_beside_steps(const Stage& s) {
  std::vector<std::string> out = s.data_axes();
  std::erase(out, s.step_axis);
  return out;
}

int innermost_step(const Stage& scan) {
  int at = 0;
  for (const Part& p : parts_of(scan, scan.step_axis)) at = std::max(at, scan.leaf_index(p.loop));
  return at;
}

void place_in_step(State& state, const std::string& stage, const Stage& model) {
  if (scan_around(state, *state.find(stage)) == nullptr || model.placement != Placement::kAt) return;
  Stage& edit = state.edit(stage);
  edit.placement = Placement::kAt;
  edit.at = model.at;
}

Box with_earlier_rows(const State& state, const Stage& scan, Box box) {
  const std::vector<bool> independent = independent_dimensions(state, scan);
  const ir::Bounds bounds = loop_bounds(state);
  for (std::size_t d = 0; d < independent.size(); ++d) {
    if (independent[d]) continue;
    const std::int64_t n = scan.roots[d].extent;
    const bool steps = scan.roots[d].axis == scan.step_axis;
    box.extent[d] = steps ? ir::simplify(box.lo[d] + box.extent[d], bounds) : ir::int_imm(n);
    box.bound[d] = n;
    std::int64_t rows = 0;
    if (steps && is_const_int(box.extent[d], &rows)) box.bound[d] = rows;
    box.lo[d] = ir::int_imm(0);
  }
  return box;
}

Status check_scan(const State& state, const Stage& s) {
  if (s.is_scan()) {
    TESSERA_TRY_DONE(check_step_loops(s));
    TESSERA_TRY_DONE(check_other_loops(state, s));
    TESSERA_TRY_DONE(check_place(s));
    TESSERA_TRY_DONE(check_storage(s));
  }
  const Stage* scan = scan_around(state, s);
  return scan == nullptr ? Status(Done{}) : check_part(state, s, *scan);
}

}  // namespace tessera::schedule
