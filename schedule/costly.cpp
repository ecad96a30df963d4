#include "schedule/costly.h"

#include "ir/rewrite.h"

namespace tessera::schedule {

bool is_costly(const Stage& s, bool read_many_times) {
  bool found = false;
  for (const ir::Expr& body : s.body) {
    ir::walk(body, [&](const ir::Expr& e) {
      const ir::ExprKind k = e->kind;
      const bool divides = k == ir::ExprKind::kDiv && e.type().is_float();
      const bool chooses = k == ir::ExprKind::kSelect || k == ir::ExprKind::kIfThenElseExpr || k == ir::ExprKind::kFloorDiv || k == ir::ExprKind::kFloorMod;
      found |= k == ir::ExprKind::kCall || divides || (chooses && read_many_times);
      return !found;
    });
  }
  return found;
}

}  // namespace tessera::schedule
