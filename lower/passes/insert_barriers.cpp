#include "lower/passes/insert_barriers.h"

#include <algorithm>
#include <set>

#include "ir/analysis/accesses.h"
#include "ir/rewrite.h"
#include "lower/pipeline.h"

namespace tessera::lower {

namespace {

using ir::Expr;
using ir::make_stmt;
using ir::Stmt;
using ir::Stmts;
using Ids = std::set<std::uint64_t>;

/// Shared buffers touched since the last barrier.
struct Touched {
  Ids written, read;
  bool operator==(const Touched&) const = default;
};

bool meet(const Ids& a, const Ids& b) {
  return std::any_of(a.begin(), a.end(), [&](std::uint64_t id) { return b.count(id) != 0; });
}

class Barriers {
 public:
  std::string refusal;

  explicit Barriers(const Stmt& body) {
    // Slots: written between acquire and commit.
    ir::walk(body, [&](const Stmt& s) {
      if (const auto* block = s.as<ir::Block>()) note_slots(*block);
      return true;
    });
  }

  Stmt stmt(const Stmt& s, Touched& state) {
    if (const auto* n = s.as<ir::Block>()) {
      Stmts out;
      for (const Stmt& x : n->stmts) out.push_back(stmt(x, state));
      return ir::block(std::move(out));
    }
    if (const auto* n = s.as<ir::For>(); n != nullptr && !ir::is_thread_level(n->loop)) return is_one_tile(s) ? tile(s, state) : loop(*n, state);
    if (const auto* n = s.as<ir::IfThenElse>()) {
      Touched other = state;
      const Stmt yes = stmt(n->yes, state);
      const Stmt no = n->no ? stmt(n->no, other) : n->no;
      merge(state, other);
      return make_stmt<ir::IfThenElse>(n->condition, yes, no);
    }
    if (const auto* n = s.as<ir::LetStmt>()) return make_stmt<ir::LetStmt>(n->var, n->value, stmt(n->body, state));
    if (const auto* n = s.as<ir::Allocate>()) return make_stmt<ir::Allocate>(n->buffer, stmt(n->body, state));
    if (s.as<ir::Barrier>() != nullptr) {
      state = {};
      return s;
    }
    if (const auto* n = s.as<ir::Role>()) {  // blocks meet before the last one goes on
      state = {};
      return make_stmt<ir::Role>(n->name, stmt(n->body, state));
    }
    return s.as<ir::ChannelOp>() != nullptr ? s : tile(s, state);
  }

 private:
  /// A loop that fills tiles, or uses them, and not both: every element is written once, so its rounds need
  /// no order.
  bool is_one_tile(const Stmt& s) {
    bool ordered = false;
    Touched inside;
    ir::walk(
        s,
        [&](const Stmt& x) {
          ordered |= x.as<ir::Barrier>() != nullptr || x.as<ir::ChannelOp>() != nullptr;
          if (const auto* n = x.as<ir::For>()) ordered |= ir::is_block_level(n->loop);
          if (const auto* n = x.as<ir::Store>()) note(n->buffer.get(), inside.written);
          return true;
        },
        [&](const Expr& e) {
          if (const auto* n = e.as<ir::Load>()) note(n->buffer.get(), inside.read);
          return true;
        });
    return !ordered && !meet(inside.written, inside.read);
  }

  Stmt loop(const ir::For& n, Touched& state) {
    if (ir::is_block_level(n.loop)) {  // blocks do not see what others keep in shared memory
      Touched own;
      return make_stmt<ir::For>(n.var, n.min, n.extent, n.loop, stmt(n.body, own), n.notes);
    }
    // What the end of a round leaves is there at the start of the next.
    Touched entry = state;
    Stmt body;
    for (bool stable = false; !stable;) {
      Touched end = entry;
      body = stmt(n.body, end);
      Touched next = entry;
      merge(next, end);
      stable = next == entry;
      entry = std::move(next);
      state = std::move(end);
    }
    std::int64_t count = 0;
    if (!ir::is_const_int(n.extent, &count) || count < 1) merge(state, entry);  // it may not run at all
    return make_stmt<ir::For>(n.var, n.min, n.extent, n.loop, body, n.notes);
  }

  Stmt tile(const Stmt& s, Touched& state) {
    Touched mine;
    std::map<std::uint64_t, ir::Exprs> stored;  // the index of the stores to a buffer
    ir::walk(s, [&](const Stmt& x) {
      if (const auto* n = x.as<ir::Store>()) {
        note(n->buffer.get(), mine.written);
        stored.try_emplace(n->buffer->id, n->indices);
      }
      return true;
    });
    Ids foreign;  // read at another index than stored: another thread's element, for all that can be told here
    ir::walk(
        s, [](const Stmt&) { return true; },
        [&](const Expr& e) {
          const auto* n = e.as<ir::Load>();
          if (n == nullptr) return true;
          note(n->buffer.get(), mine.read);
          const auto at = stored.find(n->buffer->id);
          if (at != stored.end() && !equal(at->second, n->indices)) note(n->buffer.get(), foreign);
          return true;
        });
    for (const std::uint64_t id : mine.written) {
      if (foreign.count(id) != 0 && refusal.empty()) {
        refusal = "one loop over threads writes and reads the shared tile '" + names_[id] + "'; give the stage a loop over threads of its own, or registers";
      }
    }
    const bool conflict = meet(mine.read, state.written) || meet(mine.written, state.written) || meet(mine.written, state.read);
    if (conflict) state = {};
    merge(state, mine);
    return conflict ? ir::block({make_stmt<ir::Barrier>(ir::BarrierScope::kBlock), s}) : s;
  }

  static bool equal(const ir::Exprs& a, const ir::Exprs& b) {
    return std::equal(a.begin(), a.end(), b.begin(), b.end(), [](const Expr& x, const Expr& y) { return ir::equal(x, y); });
  }

  void note(const ir::BufferNode* b, Ids& into) {
    if (b->scope != ir::Scope::kShared || slots_.count(b->id) != 0) return;
    names_[b->id] = b->name;
    into.insert(b->id);
  }

  void note_slots(const ir::Block& block) {
    bool filling = false;
    for (const Stmt& s : block.stmts) {
      if (const auto* c = s.as<ir::ChannelOp>()) filling = c->action == ir::ChannelAction::kAcquire;
      if (filling) slots_.merge(ir::stored_buffers(s));
    }
  }

  static void merge(Touched& into, const Touched& more) {
    into.written.insert(more.written.begin(), more.written.end());
    into.read.insert(more.read.begin(), more.read.end());
  }

  Ids slots_;
  std::map<std::uint64_t, std::string> names_;
};

}  // namespace

Result<ir::Program> insert_barriers(const ir::Program& program, const Options&) {
  return map_functions(program, [](const Stmt& s) -> Result<Stmt> {
    Barriers pass(s);
    Touched state;
    const Stmt out = pass.stmt(s, state);
    if (!pass.refusal.empty()) return Refusal{pass.refusal};
    return out;
  });
}

}  // namespace tessera::lower
