// Inlines cheap elementwise stages: those read by one elementwise stage, and those without branches
// and expensive functions, whose repetition costs less than the memory they would take.
#include "ir/rewrite.h"
#include "search/rules/rules.h"

namespace tessera::search {

namespace {

bool is_expensive(const schedule::Stage& s) {
  bool found = false;
  for (const ir::Expr& body : s.body) {
    ir::walk(body, [&](const ir::Expr& e) {
      found |= e->kind == ir::ExprKind::kCall || e->kind == ir::ExprKind::kIfThenElseExpr;
      return !found;
    });
  }
  return found;
}

}  // namespace

bool inline_elementwise_applies(const SketchBuilder& b, const std::string& name) {
  const schedule::Stage& s = b.stage(name);
  if (s.is_output || s.is_reduction() || s.outputs.size() > 1) return false;
  const auto readers = b.state().consumers(s);
  if (readers.empty()) return false;
  if (readers.size() == 1 && !readers[0]->is_reduction()) return true;
  return !is_expensive(s);
}

std::vector<SketchBuilder> inline_elementwise_expand(const SketchBuilder& b, const std::string& name) {
  SketchBuilder next = b;
  if (!next.step(schedule::ComputeInline{name}).ok()) return {};
  next.finish(name);
  return {std::move(next)};
}

}  // namespace tessera::search
