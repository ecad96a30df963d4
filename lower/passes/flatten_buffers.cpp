#include "lower/passes/flatten_buffers.h"

#include "ir/analysis/loops.h"
#include "ir/rewrite.h"
#include "ir/simplify.h"
#include "lower/mutants.h"
#include "lower/pipeline.h"

namespace tessera::lower {

namespace {

using ir::Bounds;
using ir::Expr;
using ir::Stmt;

class Flattener {
 public:
  explicit Flattener(const Options& options) : options_(options) {}

  Stmt stmt(const Stmt& s, const Bounds& bounds) {
    Bounds inner = bounds;
    ir::extend_bounds(s, inner);
    const Stmt r = ir::map_children(
        s, [&](const Expr& e) { return expr(e, inner); }, [&](const Stmt& x) { return x ? stmt(x, inner) : x; });
    if (const auto* n = r.as<ir::Store>()) {
      return ir::make_stmt<ir::Store>(n->buffer, ir::Exprs{flat(n->buffer, n->indices, inner)}, n->value, n->predicate, n->streaming);
    }
    if (const auto* n = r.as<ir::Prefetch>()) {
      return ir::make_stmt<ir::Prefetch>(n->buffer, ir::Exprs{flat(n->buffer, n->indices, inner)}, n->locality, n->write);
    }
    if (const auto* n = r.as<ir::TileOp>()) {
      // An operation takes where its boxes begin; how far they reach is its own.
      std::vector<ir::Region> regions;
      for (const ir::Region& x : n->regions) regions.push_back({x.buffer, ir::Exprs{flat(x.buffer, x.min, inner)}, ir::Exprs{count_of(x)}});
      return ir::make_stmt<ir::TileOp>(n->intrinsic, std::move(regions));
    }
    return r;
  }

 private:
  Expr expr(const Expr& e, const Bounds& bounds) {
    if (options_.mutant == Mutant::kTruncDivision) return mutated(flattened(e, bounds), options_.mutant);
    return flattened(e, bounds);
  }

  Expr flattened(const Expr& e, const Bounds& bounds) {
    const Expr r = ir::map_children(e, [&](const Expr& x) { return flattened(x, bounds); });
    const auto* n = r.as<ir::Load>();
    if (n == nullptr) return r;
    const ir::Buffer b(n->buffer);
    return ir::make<ir::Load>(b, ir::Exprs{flat(b, n->indices, bounds)}, n->predicate, n->type.lanes);
  }

  Expr flat(const ir::Buffer& b, const ir::Exprs& indices, const Bounds& bounds) const {
    return mutated(ir::simplify(b->layout.offset(indices), bounds), options_.mutant);
  }

  static Expr count_of(const ir::Region& r) {
    Expr out = ir::int_imm(1);
    for (const Expr& e : r.extent) out = out * e;
    return ir::simplify(out, {});
  }

  const Options& options_;
};

}  // namespace

Result<ir::Program> flatten_buffers(const ir::Program& program, const Options& options) {
  return map_functions(program, [&](const Stmt& s) -> Result<Stmt> { return Flattener(options).stmt(s, {}); });
}

}  // namespace tessera::lower
