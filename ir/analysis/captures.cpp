#include "ir/analysis/captures.h"

#include <set>

#include "ir/rewrite.h"

namespace tessera::ir {

Captures captures_of(const Stmt& body) {
  Captures out;
  std::set<std::uint64_t> inner_buffers, seen_buffers, inner_vars, seen_vars;
  walk(
      body,
      [&](const Stmt& s) {
        if (const auto* n = s.as<Allocate>()) inner_buffers.insert(n->buffer->id);
        if (const auto* n = s.as<For>()) inner_vars.insert(n->var.id());
        if (const auto* n = s.as<LetStmt>()) inner_vars.insert(n->var.id());
        return true;
      },
      [&](const Expr& e) {
        if (const auto* n = e.as<Let>()) inner_vars.insert(n->var.id());
        return true;
      });
  const auto use = [&](const Buffer& b) {
    if (inner_buffers.count(b->id) == 0 && seen_buffers.insert(b->id).second) out.buffers.push_back(b);
  };
  walk(
      body,
      [&](const Stmt& s) {
        if (const auto* n = s.as<Store>()) use(n->buffer);
        if (const auto* n = s.as<Prefetch>()) use(n->buffer);
        if (const auto* n = s.as<CallFunction>()) {
          for (const Buffer& b : n->buffers) use(b);
        }
        return true;
      },
      [&](const Expr& e) {
        if (const auto* n = e.as<Load>()) use(Buffer(n->buffer));
        const auto* v = e.as<VarNode>();
        if (v != nullptr && inner_vars.count(v->id) == 0 && seen_vars.insert(v->id).second) out.vars.push_back(Var(v));
        return true;
      });
  return out;
}

}  // namespace tessera::ir
