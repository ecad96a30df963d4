#include "ir/analysis/accesses.h"

#include "ir/rewrite.h"

namespace tessera::ir {

std::set<std::uint64_t> stored_buffers(const Stmt& s) {
  std::set<std::uint64_t> out;
  walk(s, [&](const Stmt& x) {
    if (const auto* n = x.as<Store>()) out.insert(n->buffer->id);
    if (const auto* n = x.as<TileOp>()) out.insert(n->regions[0].buffer->id);
    return true;
  });
  return out;
}

bool chooses_registers(const Stmt& s, const Var& v) {
  bool found = false;
  const auto asks = [&](const BufferNode* b, const Exprs& at) {
    for (const Expr& i : at) found |= b->scope == Scope::kRegister && uses_var(i, v.id());
  };
  walk(
      s,
      [&](const Stmt& x) {
        if (const auto* n = x.as<Store>()) asks(n->buffer.get(), n->indices);
        if (const auto* n = x.as<TileOp>()) {
          for (const Region& r : n->regions) asks(r.buffer.get(), r.min);
        }
        return true;
      },
      [&](const Expr& e) {
        if (const auto* n = e.as<Load>()) asks(n->buffer.get(), n->indices);
        return true;
      });
  return found;
}

}  // namespace tessera::ir
