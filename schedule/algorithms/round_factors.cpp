#include "ir/bounded.h"
#include "ir/print.h"
#include "schedule/algorithms/rewrites.h"

namespace tessera::schedule {

Result<State> round_factors(const State& state, const Stage& s, const AlgorithmValues&) {
  TESSERA_TRY(product, match_product(s));
  for (const Factor* f : {&product.a, &product.b}) {
    if (f->value.as<ir::Load>() != nullptr && f->value.type() == ir::f32) continue;
    return refuse("stage '", s.name, "' multiplies ", ir::to_string(f->value), "; round_factors takes factors of f32 as they are read");
  }
  const auto rounded = [](const Factor& f) { return ir::cast(ir::f32, ir::cast(ir::tf32, f.value)); };
  const auto* r = s.reduce();
  double terms = 1;
  for (const RootAxis& root : s.roots) {
    if (root.kind == AxisKind::kReduce) terms *= static_cast<double>(root.extent);
  }
  State next = state;
  next.edit(s.name).body = {ir::make<ir::Reduce>(r->combiner, Exprs{rounded(product.a) * rounded(product.b)}, r->axes, r->index)};
  // The bound of a sum allows `terms` units of f32 for each term; two factors are off by one of tf32 each.
  next.note_algorithm(1 + 2 * ir::unit_roundoff(ir::tf32) / ir::unit_roundoff(ir::f32) / terms, 0);
  return next;
}

}  // namespace tessera::schedule
