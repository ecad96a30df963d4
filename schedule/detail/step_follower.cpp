#include "schedule/detail/step_follower.h"

#include <algorithm>
#include <functional>

#include "ir/rewrite.h"

namespace tessera::schedule::detail {

StepFollower::StepFollower(NestShape& shape, const std::vector<std::string>& holes) : shape_(shape) {
  for (const std::string& h : holes) {
    holes_[h] = static_cast<Number>(shape.numbers.size());
    shape.numbers.push_back(0);
  }
  shape.holes = holes.size();
}

Number StepFollower::constant(std::int64_t v) {
  const auto [it, fresh] = constants_.emplace(v, static_cast<Number>(shape_.numbers.size()));
  if (fresh) shape_.numbers.push_back(v);
  return it->second;
}

Result<Number> StepFollower::product(const std::vector<Param>& params, std::size_t first) {
  std::vector<Number> factors;
  for (std::size_t i = first; i < params.size(); ++i) {
    if (!params[i].is_open()) {
      factors.push_back(constant(params[i].value));
      continue;
    }
    const auto it = holes_.find(params[i].hole);
    if (it == holes_.end()) return refuse("hole '", params[i].hole, "' has no value");
    factors.push_back(it->second);
  }
  return product_of(std::move(factors));
}

Number StepFollower::product_of(std::vector<Number> factors) {
  if (factors.size() == 1) return factors[0];
  const auto to = static_cast<Number>(shape_.numbers.size());
  shape_.numbers.push_back(0);
  shape_.computation.push_back(static_cast<int>(shape_.products.size()));
  shape_.products.push_back({to, std::move(factors)});
  return to;
}

Status StepFollower::split(const Split& step) {
  // into[i] stands before pieces that are together as long as the product of the factors from i on.
  for (std::size_t i = 0; i < step.factors.size(); ++i) {
    TESSERA_TRY(n, product(step.factors, i));
    factors_[{step.stage, step.into[i]}] = n;
    TESSERA_TRY(own, product({step.factors[i]}, 0));
    extents_[{step.stage, step.into[i + 1]}] = own;
  }
  return Done{};
}

Number StepFollower::loop_extent(const Stage& s, const Axis& a) {
  const auto it = extents_.find({s.name, a.name});
  return it != extents_.end() ? it->second : constant(a.loop == ForKind::kLane ? 32 : a.extent);
}

Status StepFollower::fused(const Fuse& step, const State& before) {
  const Stage& s = *before.find(step.stage);
  std::vector<Number> factors;
  for (const std::string& a : step.axes) factors.push_back(loop_extent(s, *s.find_axis(a)));
  extents_[{step.stage, step.into}] = product_of(std::move(factors));
  return Done{};
}

/// As many threads as the other stage has: the product of its loops over threads.
Status StepFollower::spread(const Spread& step, const State& before) {
  const Stage& like = *before.find(step.like);
  std::vector<Number> threads;
  for (const std::string& leaf : like.leaves) {
    const Axis& a = *like.find_axis(leaf);
    if (ir::is_thread_level(a.loop)) threads.push_back(loop_extent(like, a));
  }
  factors_[{step.stage, step.into[0]}] = product_of(std::move(threads));
  return Done{};
}

Status StepFollower::pieces(const std::string& stage, const std::vector<LayoutPiece>& order) {
  std::vector<Number> out;
  for (const LayoutPiece& p : order) {
    TESSERA_TRY(n, product({p.factor}, 0));
    out.push_back(n);
  }
  layouts_[stage] = std::move(out);
  return Done{};
}

void StepFollower::copied(const std::string& from, const std::string& into, const State& after) {
  const Stage &source = *after.find(from), &copy = *after.find(into);
  for (const RootAxis& r : copy.roots) {
    const auto it = std::find_if(source.roots.begin(), source.roots.end(), [&](const RootAxis& x) { return x.axis == r.axis; });
    roots_[{into, r.axis}] = root_extent(source, *it);
  }
  const std::map<std::uint64_t, Buffer> with{{source.outputs[0]->id, copy.outputs[0]}};
  for (auto& [name, work] : work_) {
    const auto readers = after.consumers(copy);
    if (std::none_of(readers.begin(), readers.end(), [&, &n = name](const Stage* q) { return q->name == n; })) continue;
    for (Expr& e : work) e = ir::replace_buffers(e, with);
    touched_.insert(name);
  }
}

void StepFollower::moved(const CacheWrite& step, const State& after) {
  for (const RootAxis& r : after.find(step.into)->roots) {
    const auto it = roots_.find({step.stage, r.axis});
    if (it != roots_.end()) roots_[{step.into, r.axis}] = it->second;
  }
  if (const auto it = layouts_.find(step.stage); it != layouts_.end()) layouts_[step.into] = it->second;
  if (const auto it = work_.find(step.stage); it != work_.end()) {
    work_[step.into] = std::move(it->second);
    work_.erase(step.stage);
  }
}

/// The reduction of `s` as numbers; `positions` gives each axis its own.
int StepFollower::frame_of(const Stage& s, const Stage& part, const std::string& axis, std::map<std::string, int>& positions) {
  FrameShape f;
  for (const Axis& a : s.axes) {
    if (a.kind == AxisKind::kReduce) positions.emplace(a.name, static_cast<int>(positions.size()));
  }
  for (const RootAxis& r : s.roots) {
    const Number n = root_extent(s, r);
    if (r.kind == AxisKind::kReduce) {
      f.roots.emplace_back(positions.at(r.axis), n);
    } else {
      roots_[{part.name, r.axis}] = n;
    }
  }
  std::map<int, std::pair<int, int>> children;
  for (const Relation& r : s.relations) {
    if (positions.count(r.whole) == 0) continue;
    f.splits.push_back({positions.at(r.whole), positions.at(r.outer), positions.at(r.inner), factor(s, r), r.guarded});
    children[positions.at(r.whole)] = {positions.at(r.outer), positions.at(r.inner)};
  }
  const std::function<std::vector<int>(int)> below = [&](int a) {
    const auto it = children.find(a);
    if (it == children.end()) return std::vector<int>{a};
    std::vector<int> out = below(it->second.first), inner = below(it->second.second);
    out.insert(out.end(), inner.begin(), inner.end());
    return out;
  };
  for (int a = 0; a < static_cast<int>(positions.size()); ++a) f.leaves_below.push_back(below(a));
  for (const std::string& leaf : s.leaves) {
    if (positions.count(leaf) == 0) continue;
    const auto n = static_cast<Number>(shape_.numbers.size());
    shape_.numbers.push_back(0);
    f.results.emplace_back(positions.at(leaf), n);
    roots_[{part.name, leaf}] = n;
    if (leaf == axis) roots_[{s.name, leaf}] = n;
  }
  shape_.frames.push_back(std::move(f));
  shape_.computation.push_back(-static_cast<int>(shape_.frames.size()));
  return static_cast<int>(shape_.frames.size()) - 1;
}

Status StepFollower::factored(const Rfactor& step, const State& before, const State& after) {
  const Stage &s = *before.find(step.stage), &part = *after.find(step.into);
  for (const Relation& r : s.relations) {
    const bool reduce = s.find_axis(r.whole)->kind == AxisKind::kReduce;
    if (reduce && r.kind != Relation::Kind::kSplit) return refuse("a fused reduction is factored");
  }
  std::map<std::string, int> positions;
  const Exprs sources = work(s);
  const int frame = frame_of(s, part, step.axis, positions);
  std::map<int, Var> leaves;
  ir::VarMap at;
  for (const RootAxis& r : part.roots) {
    if (positions.count(r.axis) != 0) leaves[positions.at(r.axis)] = r.coordinate;
  }
  for (const RootAxis& r : s.roots) {
    if (r.kind == AxisKind::kData) {
      const auto it = std::find_if(part.roots.begin(), part.roots.end(), [&](const RootAxis& x) { return x.axis == r.axis; });
      at[r.coordinate.id()] = it->coordinate;
    } else if (leaves.count(positions.at(r.axis)) != 0) {
      at[r.coordinate.id()] = leaves.at(positions.at(r.axis));
    } else {
      const Var v = Var::fresh(r.axis);
      virtuals_[v.id()] = {frame, positions.at(r.axis), leaves};
      at[r.coordinate.id()] = v;
    }
  }
  // What an earlier rfactor defined is now in terms of the new coordinates.
  const auto renamed = [&](std::map<ir::VarId, Definition>& all, const Var& old) {
    Definition d = all.at(old.id());
    for (auto& [axis, v] : d.leaves) v = Var(at.at(v.id()).as<ir::VarNode>());
    const Var v = Var::fresh(old.name(), old.type());
    all[v.id()] = std::move(d);
    at[old.id()] = v;
  };
  std::set<ir::VarId> seen;
  const std::function<void(const Var&)> rename = [&](const Var& v) {
    const bool is_virtual = virtuals_.count(v.id()) != 0;
    if ((!is_virtual && guards_.count(v.id()) == 0) || at.count(v.id()) != 0) return;
    const Definition d = is_virtual ? virtuals_.at(v.id()) : guards_.at(v.id());
    for (const auto& [axis, leaf] : d.leaves) rename(leaf);
    renamed(is_virtual ? virtuals_ : guards_, v);
  };
  for (const Expr& e : sources) {
    for (const Var& v : ir::free_vars(e)) rename(v);
  }
  Exprs out;
  for (const Expr& e : sources) out.push_back(ir::substitute(e, at));
  for (const FrameShape::Split& split : shape_.frames.back().splits) {
    const Var inside = Var::fresh("inside", ir::boolean);
    guards_[inside.id()] = {frame, split.whole, leaves};
    for (std::size_t v = 0; v < out.size(); ++v) out[v] = ir::if_then_else(inside, out[v], s.reduce()->combiner->identity[v]);
  }
  work_.erase(step.stage);
  work_[step.into] = std::move(out);
  return Done{};
}

Status StepFollower::check_bodies(const State& before, const State& after) const {
  for (const auto& [name, work] : work_) {
    const Stage *a = before.find(name), *b = after.find(name);
    if (a == nullptr || b == nullptr || touched_.count(name) != 0) continue;
    for (std::size_t i = 0; i < a->body.size(); ++i) {
      if (!a->body[i].same_as(b->body[i])) return refuse("the body of the partial stage '", name, "' changes");
    }
  }
  return Done{};
}

Status StepFollower::follow(const Step& step, const State& before, const State& after) {
  touched_.clear();
  if (const auto* n = std::get_if<Split>(&step)) {
    TESSERA_TRY_DONE(split(*n));
  } else if (const auto* n = std::get_if<Fuse>(&step)) {
    TESSERA_TRY_DONE(fused(*n, before));
  } else if (const auto* n = std::get_if<Spread>(&step)) {
    TESSERA_TRY_DONE(spread(*n, before));
  } else if (const auto* n = std::get_if<Pipeline>(&step)) {
    TESSERA_TRY(number, product({n->slots}, 0));
    slots_[n->stage] = number;
  } else if (const auto* n = std::get_if<TransformLayout>(&step)) {
    TESSERA_TRY_DONE(pieces(n->stage, n->order));
  } else if (const auto* n = std::get_if<Pack>(&step)) {
    copied(n->stage, n->into, after);
    TESSERA_TRY_DONE(pieces(n->into, n->order));
  } else if (const auto* n = std::get_if<CacheRead>(&step)) {
    copied(n->stage, n->into, after);
  } else if (const auto* n = std::get_if<CacheWrite>(&step)) {
    moved(*n, after);
  } else if (const auto* n = std::get_if<Rfactor>(&step)) {
    TESSERA_TRY_DONE(factored(*n, before, after));
  } else if (const auto* n = std::get_if<Annotate>(&step)) {
    TESSERA_TRY(number, product({n->value}, 0));
    if (n->key == "unroll") unrolls_[{n->stage, n->axis}] = number;
  } else if (std::get_if<Prefetch>(&step) == nullptr && !open_holes({step}).empty()) {  // no part of a summary
    return refuse("step ", step_name(step), " has a hole");
  }
  return check_bodies(before, after);
}

Number StepFollower::root_extent(const Stage& s, const RootAxis& r) {
  const auto it = roots_.find({s.name, r.axis});
  return it != roots_.end() ? it->second : constant(r.extent);
}

Number StepFollower::factor(const Stage& s, const Relation& r) {
  const auto it = factors_.find({s.name, r.outer});
  return it != factors_.end() ? it->second : constant(r.factor);
}

Number StepFollower::unroll(const Stage& s, const Axis& a) {
  const auto it = unrolls_.find({s.name, a.name});
  return it != unrolls_.end() ? it->second : constant(a.notes.at("unroll"));
}

Number StepFollower::slots(const Stage& s) {
  const auto it = slots_.find(s.name);
  return it != slots_.end() ? it->second : constant(s.slots);
}

std::vector<Number> StepFollower::layout(const Stage& s) {
  if (const auto it = layouts_.find(s.name); it != layouts_.end()) return it->second;
  std::vector<Number> out;
  for (const LayoutPart& p : s.layout) out.push_back(constant(p.factor));
  return out;
}

Exprs StepFollower::work(const Stage& s) const {
  const auto it = work_.find(s.name);
  if (it != work_.end()) return it->second;
  return s.reduce() != nullptr ? s.reduce()->sources : s.body;
}

const StepFollower::Definition* StepFollower::virtual_of(ir::VarId v) const {
  const auto it = virtuals_.find(v);
  return it == virtuals_.end() ? nullptr : &it->second;
}

const StepFollower::Definition* StepFollower::guard_of(ir::VarId v) const {
  const auto it = guards_.find(v);
  return it == guards_.end() ? nullptr : &it->second;
}

}  // namespace tessera::schedule::detail
