#include "lower/passes/strip_instances.h"

#include "ir/rewrite.h"
#include "lower/pipeline.h"

namespace tessera::lower {

namespace {

struct Strip : ir::Rewriter<Strip> {
  ir::Expr expr(const ir::Expr& e) { return e; }
  ir::Stmt stmt(const ir::Stmt& s) {
    if (const auto* n = s.as<ir::Instance>()) return stmt(n->body);
    return rebuild(s);
  }
};

}  // namespace

Result<ir::Program> strip_instances(const ir::Program& program, const Options&) {
  return map_functions(program, [](const ir::Stmt& s) -> Result<ir::Stmt> { return Strip().stmt(s); });
}

}  // namespace tessera::lower
