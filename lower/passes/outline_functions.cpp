#include "lower/passes/outline_functions.h"

#include <map>

#include "ir/analysis/captures.h"
#include "ir/print.h"
#include "ir/rewrite.h"
#include "lower/pipeline.h"

namespace tessera::lower {

namespace {

using ir::Buffer;
using ir::Expr;
using ir::Stmt;

class Outliner {
 public:
  explicit Outliner(const std::string& base) : base_(base) {}

  std::vector<ir::Function> functions;
  std::string refusal;

  Stmt stmt(const Stmt& s) {
    const auto* n = s.as<ir::For>();
    if (n == nullptr || n->notes.count("outline") == 0) {
      return ir::map_children(
          s, [](const Expr& e) { return e; }, [&](const Stmt& x) { return x ? stmt(x) : x; });
    }
    auto notes = n->notes;
    notes.erase("outline");
    const Stmt body = stmt(n->body);
    return ir::make_stmt<ir::For>(n->var, n->min, n->extent, n->loop, call(body), notes);
  }

 private:
  Stmt call(const Stmt& body) {
    const ir::Captures c = ir::captures_of(body);
    for (const Buffer& b : c.buffers) {
      if (b->scope == ir::Scope::kRegister) refusal = "the register tile '" + b->name + "' crosses the boundary of an outlined loop";
    }
    ir::Exprs scalars(c.vars.begin(), c.vars.end());
    ir::Names names;
    const std::string text = ir::to_string(body, names);
    auto [it, added] = known_.try_emplace(text, base_ + ".part" + std::to_string(functions.size()));
    if (added) functions.push_back({it->second, c.buffers, c.vars, body});
    return ir::make_stmt<ir::CallFunction>(it->second, c.buffers, std::move(scalars));
  }

  std::string base_;
  std::map<std::string, std::string> known_;  // printed body -> function; equal text, equal code
};

}  // namespace

Result<ir::Program> outline_functions(const ir::Program& program, const Options&) {
  ir::Program out = program;
  out.functions.clear();
  for (const ir::Function& f : program.functions) {
    Outliner pass(f.name);
    ir::Function changed = f;
    changed.body = pass.stmt(f.body);
    if (!pass.refusal.empty()) return Refusal{pass.refusal};
    for (ir::Function& made : pass.functions) out.functions.push_back(std::move(made));
    out.functions.push_back(std::move(changed));
  }
  return out;
}

}  // namespace tessera::lower
