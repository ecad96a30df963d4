#include "lower/mutants.h"

#include "ir/rewrite.h"
#include "schedule/geometry.h"
#include "schedule/rolling.h"

namespace tessera::lower {

namespace {

using ir::Expr;
using schedule::AxisKind;
using schedule::Placement;
using schedule::Stage;
using schedule::State;

bool reads(const dsl::Stage& reader, const Stage& s) {
  bool found = false;
  for (const Expr& body : reader.body) {
    ir::walk(body, [&](const Expr& e) {
      const auto* l = e.as<ir::Load>();
      found |= l != nullptr && l->buffer.get() == s.outputs[0].get();
      return true;
    });
  }
  return found;
}

Expr without_conditions(const Expr& e) {
  return ir::rewrite(e, [](const ir::IfThenElseExpr& n, const Expr&, const ir::ExprFn& self) { return self(n.yes); });
}

/// Only the first of several reads counts for the box of a stage computed at a loop.
Status region_not_grown(State& state) {
  for (std::size_t i = 0; i < state.size(); ++i) {
    const Stage& s = state.stage(i);
    if (s.placement != Placement::kAt) continue;
    TESSERA_TRY(box, schedule::required_region(state, s, schedule::fixed_at(state, s.at), false));
    state.edit(s.name).region = std::move(box);
  }
  return Done{};
}

/// Readers of an inlined stage lose the conditions around their reads.
void drop_predicates(State& state) {
  for (std::size_t i = 0; i < state.size(); ++i) {
    const Stage& s = state.stage(i);
    if (s.placement != Placement::kInline || ir::equal(without_conditions(s.body[0]), s.body[0])) continue;
    for (const dsl::Stage& d : state.dag().stages()) {
      if (!reads(d, s) || state.find(d.name) == nullptr) continue;
      for (Expr& body : state.edit(d.name).body) body = without_conditions(body);
    }
  }
}

/// A stage that reduces over the partial results of another reads the first of them twice.
Status merge_twice(State& state) {
  for (std::size_t i = 0; i < state.size(); ++i) {
    const Stage& s = state.stage(i);
    const ir::Reduce* r = s.reduce();
    const auto* load = r == nullptr ? nullptr : r->sources[0].as<ir::Load>();
    if (load == nullptr || s.roots.back().kind != AxisKind::kReduce || r->axes.size() != 1) continue;
    const Stage* partial = state.producer(load->buffer.get());
    if (partial == nullptr || state.dag().find(partial->name) != nullptr) continue;
    Stage& edit = state.edit(s.name);
    const schedule::Var k = edit.roots.back().coordinate;
    ++edit.roots.back().extent;
    for (Expr& body : edit.body) {
      const ir::Reduce& old = *body.as<ir::Reduce>();
      ir::Exprs sources;
      for (const Expr& e : old.sources) sources.push_back(ir::substitute(e, k, ir::max(k - 1, Expr(0))));
      body = ir::make<ir::Reduce>(old.combiner, sources, old.axes, old.index);
    }
  }
  return state.refresh();
}

/// The first element that an iteration should add to a rolling window is left as it was.
Status window_too_old(State& state) {
  for (std::size_t i = 0; i < state.size(); ++i) {
    const Stage& s = state.stage(i);
    if (s.placement != Placement::kAt || !s.rolling) continue;
    TESSERA_TRY(box, schedule::required_region(state, s, schedule::fixed_at(state, s.at)));
    TESSERA_TRY(d, schedule::rolling_dimension(state, s, box));
    schedule::Box& region = state.edit(s.name).region;
    region.lo[d] = region.lo[d] + 1;
    region.extent[d] = region.extent[d] - 1;
  }
  return Done{};
}

void parallel_reductions(State& state) {
  for (std::size_t i = 0; i < state.size(); ++i) {
    for (const std::string& leaf : state.stage(i).leaves) {
      if (state.stage(i).find_axis(leaf)->kind != AxisKind::kReduce) continue;
      state.edit(state.stage(i).name).find_axis(leaf)->loop = ir::ForKind::kParallel;
      break;
    }
  }
}

}  // namespace

const char* to_string(Mutant m) {
  static constexpr const char* kNames[] = {"none", "tail_less_equal", "init_per_tile", "rfactor_twice",
      "region_not_grown", "inline_drops_predicate", "tail_unmasked", "index_32", "trunc_division",
      "parallel_reduction", "last_tile_skipped", "window_too_old"};
  return kNames[static_cast<std::size_t>(m)];
}

Result<State> mutated(const State& state, Mutant mutant) {
  State out = state;
  if (mutant == Mutant::kRegionNotGrown) TESSERA_TRY_DONE(region_not_grown(out));
  if (mutant == Mutant::kInlineDropsPredicate) drop_predicates(out);
  if (mutant == Mutant::kWindowTooOld) TESSERA_TRY_DONE(window_too_old(out));
  if (mutant == Mutant::kRfactorTwice) TESSERA_TRY_DONE(merge_twice(out));
  if (mutant == Mutant::kParallelReduction) parallel_reductions(out);
  return out;
}

Expr mutated(const Expr& e, Mutant mutant) {
  if (mutant == Mutant::kIndex32) {
    return ir::rewrite(e, [](const ir::Mul& n, const Expr& self, const ir::ExprFn& recurse) -> Expr {
      const Expr r = ir::map_children(self, recurse);
      return n.type == ir::i64 ? ir::cast(ir::i64, ir::cast(ir::i32, r)) : r;
    });
  }
  if (mutant == Mutant::kTruncDivision) {
    return ir::rewrite(
        e,
        [](const ir::FloorDiv& n, const Expr&, const ir::ExprFn& self) { return self(n.a) / self(n.b); },
        [](const ir::FloorMod& n, const Expr&, const ir::ExprFn& self) { return ir::truncmod(self(n.a), self(n.b)); });
  }
  return e;
}

}  // namespace tessera::lower
