#include "lower/passes/unroll_loops.h"

#include "ir/analysis/loops.h"
#include "ir/rewrite.h"
#include "ir/simplify.h"
#include "lower/pipeline.h"

namespace tessera::lower {

namespace {

using ir::Bounds;
using ir::Expr;
using ir::int_imm;
using ir::Interval;
using ir::make_stmt;
using ir::Stmt;

class Unroller {
 public:
  explicit Unroller(std::int64_t limit) : limit_(limit) {}

  Result<Stmt> run(const Stmt& s) {
    Stmt out = stmt(s, {});
    if (!refusal_.empty()) return Refusal{refusal_};
    return out;
  }

 private:
  Stmt stmt(const Stmt& s, const Bounds& bounds) {
    if (!refusal_.empty()) return s;
    if (const auto* n = s.as<ir::Store>()) {
      (void)n;
      if (++statements_ > limit_) refusal_ = "the program unrolls to more than " + std::to_string(limit_) + " statements";
      return s;
    }
    if (const auto* n = s.as<ir::For>()) return loop(*n, bounds);
    Bounds inner = bounds;
    if (const auto* n = s.as<ir::LetStmt>()) inner[n->var.id()] = ir::range_of(n->value, bounds);
    return ir::map_children(
        s, [](const Expr& e) { return e; }, [&](const Stmt& x) { return x ? stmt(x, inner) : x; });
  }

  Stmt loop(const ir::For& n, const Bounds& bounds) {
    const auto [count, values] = ir::loop_range(n, bounds);
    Bounds inner = bounds;
    inner[n.var.id()] = values;
    if (n.loop == ir::ForKind::kUnroll) return copies(n, count, bounds);
    const auto note = n.notes.find("unroll");
    if (n.loop == ir::ForKind::kSerial && note != n.notes.end() && note->second > 1) return partial(n, note->second, inner, bounds);
    return make_stmt<ir::For>(n.var, n.min, n.extent, n.loop, stmt(n.body, inner), n.notes);
  }

  Stmt copies(const ir::For& n, const Interval& count, const Bounds& bounds) {
    if (count.hi > 4096) {
      refusal_ = "loop '" + n.var.name() + "' is unrolled but may run " + std::to_string(count.hi) + " times";
      return n.body;
    }
    ir::Stmts out;
    for (std::int64_t i = 0; i < count.hi; ++i) {
      Bounds inner = bounds;
      const Expr at = ir::simplify(n.min + int_imm(i), bounds);
      Stmt body = ir::simplify(ir::substitute(n.body, n.var, at), inner);
      if (i >= count.lo) body = ir::simplify(make_stmt<ir::IfThenElse>(int_imm(i) < n.extent, body), inner);
      out.push_back(stmt(body, inner));
    }
    return ir::block(std::move(out));
  }

  /// for v in 0..n  ->  for q in 0..n/u {copies of v = q*u + c}; for the rest one by one
  Stmt partial(const ir::For& n, std::int64_t u, const Bounds& inner, const Bounds& bounds) {
    auto notes = n.notes;
    notes.erase("unroll");
    std::int64_t count = 0;
    if (!is_const_int(n.extent, &count)) return make_stmt<ir::For>(n.var, n.min, n.extent, n.loop, stmt(n.body, inner), notes);
    const ir::Var q = ir::Var::fresh(n.var.name());
    ir::Stmts out;
    const std::int64_t whole = count / u;
    const auto copy = [&](const Expr& at, const Bounds& b) { return stmt(ir::simplify(ir::substitute(n.body, n.var, at), b), b); };
    if (whole > 0) {
      Bounds b = bounds;
      b[q.id()] = {0, whole - 1};
      ir::Stmts body;
      for (std::int64_t c = 0; c < u; ++c) body.push_back(copy(n.min + Expr(q) * int_imm(u) + int_imm(c), b));
      out.push_back(make_stmt<ir::For>(q, int_imm(0), int_imm(whole), ir::ForKind::kSerial, ir::block(std::move(body)), notes));
    }
    for (std::int64_t i = whole * u; i < count; ++i) out.push_back(copy(n.min + int_imm(i), bounds));
    return ir::block(std::move(out));
  }

  std::int64_t limit_;
  std::int64_t statements_ = 0;
  std::string refusal_;
};

}  // namespace

Result<ir::Program> unroll_loops(const ir::Program& program, const Options& options) {
  return map_functions(program, [&](const Stmt& s) { return Unroller(options.max_statements).run(s); });
}

}  // namespace tessera::lower
