#include "lower/passes/pipeline_loops.h"

#include <set>

#include "ir/analysis/accesses.h"
#include "ir/rewrite.h"
#include "ir/simplify.h"
#include "lower/pipeline.h"

namespace tessera::lower {

namespace {

using ir::Buffer;
using ir::ChannelAction;
using ir::Expr;
using ir::int_imm;
using ir::make_stmt;
using ir::Stmt;
using ir::Stmts;

/// The body of a pipelined loop, taken apart.
struct Parts {
  std::vector<Buffer> buffers;  // allocated around the body
  Stmts fill, use;
  std::set<std::uint64_t> filled;  // buffers that the filling writes
};

bool has_channel(const Stmt& s) {
  bool found = false;
  ir::walk(s, [&](const Stmt& x) {
    found |= x.as<ir::ChannelOp>() != nullptr;
    return !found;
  });
  return found;
}

/// What fills stands between an acquire and a commit, all of it perhaps under a condition.
void sort_out(const Stmt& body, const Expr& condition, Parts& out) {
  const auto* block = body.as<ir::Block>();
  bool filling = false;
  for (const Stmt& s : block != nullptr ? block->stmts : Stmts{body}) {
    if (const auto* c = s.as<ir::ChannelOp>()) {
      filling = c->action == ChannelAction::kAcquire;
      continue;
    }
    if (const auto* n = s.as<ir::IfThenElse>(); n != nullptr && !n->no && has_channel(s)) {
      sort_out(n->yes, condition.defined() ? condition && n->condition : n->condition, out);
      continue;
    }
    (filling ? out.fill : out.use).push_back(condition.defined() ? make_stmt<ir::IfThenElse>(condition, s) : s);
  }
}

Parts take_apart(Stmt body) {
  Parts out;
  while (const auto* a = body.as<ir::Allocate>()) {
    out.buffers.push_back(a->buffer);
    body = a->body;
  }
  sort_out(body, {}, out);
  for (const Stmt& s : out.fill) out.filled.merge(ir::stored_buffers(s));
  return out;
}

class Pipeliner {
 public:
  std::string refusal;

  Stmt stmt(const Stmt& s, bool inside_loop) {
    const auto* n = s.as<ir::For>();
    if (n == nullptr) {
      return ir::map_children(
          s, [](const Expr& e) { return e; }, [&](const Stmt& x) { return x ? stmt(x, inside_loop) : x; });
    }
    const bool serial = n->loop == ir::ForKind::kSerial || n->loop == ir::ForKind::kUnroll;
    const Stmt body = stmt(n->body, inside_loop || serial);
    const auto note = n->notes.find("pipeline");
    if (note == n->notes.end()) return make_stmt<ir::For>(n->var, n->min, n->extent, n->loop, body, n->notes);
    return pipelined(*n, body, note->second, inside_loop);
  }

 private:
  Stmt pipelined(const ir::For& n, const Stmt& body, std::int64_t slots, bool again) {
    const Parts parts = take_apart(body);
    check_independent(n, parts);
    const std::string channel = n.var.name();
    const auto filling = [&](const Expr& at, const Expr& there) {
      const Stmt fill = ir::substitute(ir::block(Stmts(parts.fill)), n.var, at);
      const Stmt guarded = ir::is_true(there) ? fill : make_stmt<ir::IfThenElse>(there, fill);
      return Stmts{channel_op(channel, ChannelAction::kAcquire, at), guarded, channel_op(channel, ChannelAction::kCommit, at)};
    };
    Stmts out;
    // What an earlier round of an outer loop still reads is not overwritten before all are through.
    if (again) out.push_back(make_stmt<ir::Barrier>(ir::BarrierScope::kBlock));
    const auto append = [](Stmts& to, Stmts more) { to.insert(to.end(), more.begin(), more.end()); };
    for (std::int64_t i = 0; i + 1 < slots; ++i) append(out, filling(int_imm(i), ir::simplify(int_imm(i) < n.extent)));
    Stmts round{channel_op(channel, ChannelAction::kWait, int_imm(slots - 2)), make_stmt<ir::Barrier>(ir::BarrierScope::kBlock)};
    const Expr ahead = n.var + int_imm(slots - 1);
    append(round, filling(ahead, ahead < n.extent));
    Stmt use = ir::block(Stmts(parts.use));
    for (const Buffer& b : parts.buffers) {
      if (parts.filled.count(b->id) == 0) use = make_stmt<ir::Allocate>(b, use);
    }
    round.push_back(use);
    auto notes = n.notes;
    notes.erase("pipeline");
    out.push_back(make_stmt<ir::For>(n.var, n.min, n.extent, n.loop, ir::block(std::move(round)), notes));
    Stmt all = ir::block(std::move(out));
    for (const Buffer& b : parts.buffers) {
      if (parts.filled.count(b->id) != 0) all = make_stmt<ir::Allocate>(b, all);
    }
    return all;
  }

  void check_independent(const ir::For& n, const Parts& parts) {
    std::set<std::uint64_t> written;
    for (const Stmt& s : parts.use) written.merge(ir::stored_buffers(s));
    for (const Stmt& s : parts.fill) {
      ir::walk(
          s, [](const Stmt&) { return true; },
          [&](const Expr& e) {
            const auto* load = e.as<ir::Load>();
            if (load != nullptr && written.count(load->buffer->id) != 0) {
              refusal = "the tiles that loop '" + n.var.name() + "' fills ahead read '" + load->buffer->name + "', which its body writes";
            }
            // What is copied there arrives later than it would be read.
            if (load != nullptr && load->buffer->scope == ir::Scope::kShared && parts.filled.count(load->buffer->id) != 0) {
              refusal = "the tiles that loop '" + n.var.name() + "' fills ahead go through the shared tile '" + load->buffer->name + "'; fill them from memory or registers";
            }
            return true;
          });
    }
  }

  static Stmt channel_op(const std::string& channel, ChannelAction action, const Expr& slot) {
    return make_stmt<ir::ChannelOp>(channel, action, slot);
  }
};

}  // namespace

Result<ir::Program> pipeline_loops(const ir::Program& program, const Options&) {
  return map_functions(program, [](const Stmt& s) -> Result<Stmt> {
    Pipeliner pass;
    const Stmt out = pass.stmt(s, false);
    if (!pass.refusal.empty()) return Refusal{pass.refusal};
    return out;
  });
}

}  // namespace tessera::lower
