// Ansor's AlwaysInline. Inlines cheap elementwise stages: those read by one elementwise stage (unless a
// function or a division would be repeated for every element of a row), and those without branches and
// expensive functions, whose repetition costs less than the memory they would take. A stage with a
// branch (a border of zeros) that a tiled
// reduction reads may also stay a stage: a tile then copies it once and computes without the branch.
#include <algorithm>

#include "ir/rewrite.h"
#include "search/rules/rules.h"

namespace tessera::search {

namespace {

using schedule::AxisKind;

bool has(const schedule::Stage& s, ir::ExprKind kind) {
  bool found = false;
  for (const ir::Expr& body : s.body) {
    ir::walk(body, [&](const ir::Expr& e) {
      found |= e->kind == kind;
      return !found;
    });
  }
  return found;
}

/// Computed once, ahead of the runs, when it stays a stage.
bool only_constants(const SketchBuilder& b, const schedule::Stage& s) {
  const std::vector<const ir::Load*> reads = reads_of(s);
  return !reads.empty() && std::all_of(reads.begin(), reads.end(), [&](const ir::Load* l) {
    const schedule::Stage& p = *b.state().producer(l->buffer.get());
    return p.kind == dsl::OperationKind::kConstant || (!p.is_input() && only_constants(b, p));
  });
}

}  // namespace

Verdict inline_elementwise_meets(const SketchBuilder& b, const std::string& name) {
  const schedule::Stage& s = b.stage(name);
  if (s.is_output || s.is_reduction() || s.is_scan() || s.is_extern() || s.outputs.size() > 1) return Verdict::kPass;
  const auto readers = b.state().consumers(s);
  if (readers.empty()) return Verdict::kPass;
  if (only_constants(b, s)) return Verdict::kPass;
  const bool repeated = volume(s, AxisKind::kData) < volume(*readers[0], AxisKind::kData) * volume(*readers[0], AxisKind::kReduce);
  const bool calls = has(s, ir::ExprKind::kCall);
  if (repeated && (calls || has(s, ir::ExprKind::kDiv))) return Verdict::kPass;
  if (readers.size() == 1 && !readers[0]->is_reduction()) return Verdict::kApplyAndSkipRest;
  if (calls) return Verdict::kPass;
  if (!has(s, ir::ExprKind::kIfThenElseExpr) && !has(s, ir::ExprKind::kSelect)) return Verdict::kApplyAndSkipRest;
  return readers.size() == 1 && has_row_reuse(b, readers[0]->name) ? Verdict::kApply : Verdict::kPass;
}

std::vector<SketchBuilder> inline_elementwise_expand(const SketchBuilder& b, const std::string& name) {
  SketchBuilder next = b;
  if (!next.step(schedule::ComputeInline{name}).ok()) return {};
  next.finish(name);
  return {std::move(next)};
}

}  // namespace tessera::search
