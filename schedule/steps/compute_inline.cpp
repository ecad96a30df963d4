#include "schedule/steps/compute_inline.h"

#include "ir/rewrite.h"
#include "schedule/steps/common.h"

namespace tessera::schedule {

namespace {

/// `e` with every read of `s` replaced by its body at those indices.
Expr substitute_body(const Expr& e, const Stage& s) {
  return ir::rewrite(e, [&](const ir::Load& n, const Expr& self, const ir::ExprFn& recurse) -> Expr {
    const Expr r = ir::map_children(self, recurse);
    if (n.buffer.get() != s.outputs[0].get()) return r;
    ir::VarMap at;
    const auto* load = r.as<ir::Load>();
    for (std::size_t d = 0; d < s.roots.size(); ++d) at[s.roots[d].coordinate.id()] = load->indices[d];
    return ir::substitute(s.body[0], at);
  });
}

}  // namespace

Result<State> ComputeInline::apply(const State& state) const {
  TESSERA_TRY(s, require_compute(state, stage, "compute_inline"));
  if (s->is_output) return refuse("stage '", stage, "' is an output of the program and must be stored");
  if (s->is_scan()) return refuse("stage '", stage, "' is a scan: every row is computed from rows that are stored; what it reads may be inlined into it");
  if (s->is_reduction()) return refuse("stage '", stage, "' is a reduction; only elementwise stages are inlined");
  if (s->outputs.size() > 1) return refuse("stage '", stage, "' has ", s->outputs.size(), " outputs; only single-output stages are inlined");
  if (const auto inside = computed_inside(state, *s, 0); !inside.empty()) {
    return refuse("stage '", inside[0], "' is computed inside '", stage, "'; move it first");
  }
  const Stage inlined = *s;
  std::vector<std::string> readers;
  for (const Stage* q : state.consumers(*s)) {
    if (q->is_extern()) return refuse("stage '", stage, "' is read by the extern stage '", q->name, "', whose statements read a buffer");
    readers.push_back(q->name);
  }
  State next = state;
  for (const std::string& q : readers) {
    for (Expr& body : next.edit(q).body) body = substitute_body(body, inlined);
  }
  Stage& edit = next.edit(stage);
  edit.placement = Placement::kInline;
  edit.store_at.reset();
  edit.rolling = false;
  return finish_step(std::move(next));
}

}  // namespace tessera::schedule
