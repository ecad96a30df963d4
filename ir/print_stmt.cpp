// Text of statements and programs.
#include <set>

#include "ir/detail/printer.h"
#include "ir/lexer.h"

namespace tessera::ir::detail {

void Printer::stmt(const Stmt& s, int in, bool last) {
  if (!s) return;
  switch (s->kind) {
    case StmtKind::kBlock:
      return block(*s.as<Block>(), in);
    case StmtKind::kFor: return loop(*s.as<For>(), in);
    case StmtKind::kStore: {
      const auto* n = s.as<Store>();
      pad(in) << (n->streaming ? "stream " : "");
      access(n->buffer.get(), n->indices);
      os_ << " = ";
      expr(n->value);
      if (n->predicate.defined()) {
        os_ << " if ";
        expr(n->predicate);
      }
      os_ << "\n";
      return;
    }
    case StmtKind::kAllocate: {
      const auto* n = s.as<Allocate>();
      pad(in) << "alloc ";
      declare(n->buffer);
      return rest(n->body, in, last);
    }
    case StmtKind::kIfThenElse: {
      const auto* n = s.as<IfThenElse>();
      pad(in) << "if ";
      expr(n->condition);
      body(n->yes, in);
      if (n->no) {
        pad(in) << "else";
        body(n->no, in);
      }
      return;
    }
    case StmtKind::kLetStmt: {
      const auto* n = s.as<LetStmt>();
      pad(in) << "let " << names_.of(n->var.node()) << ": " << n->var.type() << " = ";
      expr(n->value);
      return rest(n->body, in, last);
    }
    case StmtKind::kEvaluate: pad(in) << "evaluate "; expr(s.as<Evaluate>()->value); os_ << "\n"; return;
    case StmtKind::kAssert:
      pad(in) << "assert ";
      expr(s.as<Assert>()->condition);
      os_ << ", " << quoted(s.as<Assert>()->message) << "\n";
      return;
    case StmtKind::kInstance: {
      const auto* n = s.as<Instance>();
      pad(in) << "instance " << quoted_unless_word(n->stage) << " " << to_string(n->phase) << " [";
      list(n->coordinates);
      os_ << "]";
      return body(n->body, in);
    }
    case StmtKind::kCallFunction: {
      const auto* n = s.as<CallFunction>();
      pad(in) << "call " << quoted_unless_word(n->function) << "(";
      for (std::size_t i = 0; i < n->buffers.size(); ++i) os_ << (i ? ", " : "") << names_.of(n->buffers[i].get());
      os_ << "; ";
      list(n->scalars);
      os_ << ")\n";
      return;
    }
    case StmtKind::kPrefetch: {
      const auto* n = s.as<Prefetch>();
      pad(in) << "prefetch ";
      access(n->buffer.get(), n->indices);
      os_ << " locality " << n->locality << (n->write ? " write\n" : "\n");
      return;
    }
    case StmtKind::kCopy: {
      const auto* n = s.as<Copy>();
      pad(in) << "copy " << quoted_unless_word(n->mode) << " ";
      region(n->target);
      os_ << " = ";
      region(n->source);
      os_ << "\n";
      return;
    }
    case StmtKind::kTileOp: {
      const auto* n = s.as<TileOp>();
      pad(in) << "tile " << quoted_unless_word(n->intrinsic) << "(";
      for (std::size_t i = 0; i < n->regions.size(); ++i) {
        if (i) os_ << ", ";
        region(n->regions[i]);
      }
      os_ << ")\n";
      return;
    }
    case StmtKind::kChannelOp: {
      const auto* n = s.as<ChannelOp>();
      pad(in) << "channel " << quoted_unless_word(n->channel) << " " << to_string(n->action) << " ";
      expr(n->slot);
      os_ << "\n";
      return;
    }
    case StmtKind::kRole: pad(in) << "role " << quoted_unless_word(s.as<Role>()->name); return body(s.as<Role>()->body, in);
    case StmtKind::kBarrier: pad(in) << "barrier " << to_string(s.as<Barrier>()->scope) << "\n"; return;
    case StmtKind::kAtomic: {
      const auto* n = s.as<Atomic>();
      pad(in) << "atomic " << reduce_word(n->op) << " ";
      access(n->buffer.get(), n->indices);
      os_ << ", ";
      expr(n->value);
      os_ << "\n";
      return;
    }
  }
}

void Printer::program(const Program& p) {
  os_ << "program " << quoted_unless_word(p.name) << " {\n";
  std::set<Buffer> of_program;
  for (const ProgramBuffer& b : p.buffers) {
    of_program.insert(b.buffer);
    pad(1) << "buffer ";
    declare(b.buffer);
    os_ << " " << to_string(b.role) << "\n";
  }
  for (const Function& f : p.functions) {
    pad(1) << "func " << quoted_unless_word(f.name) << "(";
    for (std::size_t i = 0; i < f.buffers.size(); ++i) {
      os_ << (i ? ", " : "");
      // A parameter that is not one of the program's buffers is declared where it stands.
      if (of_program.count(f.buffers[i]) != 0) {
        os_ << names_.of(f.buffers[i].get());
      } else {
        declare(f.buffers[i]);
      }
    }
    os_ << "; ";
    for (std::size_t i = 0; i < f.scalars.size(); ++i) {
      os_ << (i ? ", " : "") << names_.of(f.scalars[i].node());
      if (f.scalars[i].type() != i64) os_ << ": " << f.scalars[i].type();
    }
    os_ << ") {\n";
    stmt(f.body, 2);
    pad(1) << "}\n";
  }
  for (const LaunchSite& l : p.launches) {
    pad(1) << to_string(l.phase) << " " << quoted_unless_word(l.function) << "(";
    for (std::size_t i = 0; i < l.arguments.size(); ++i) os_ << (i ? ", " : "") << names_.of(l.arguments[i].get());
    os_ << ")\n";
  }
  os_ << "}\n";
}

std::ostream& Printer::pad(int n) {
  for (int i = 0; i < n; ++i) os_ << "  ";
  return os_;
}

void Printer::block(const Block& n, int in) {
  for (const Stmt& x : n.stmts) stmt(x, in, &x == &n.stmts.back());
}

void Printer::rest(const Stmt& s, int in, bool last) {
  if (!last) return body(s, in);
  os_ << "\n";
  stmt(s, in);
}

void Printer::body(const Stmt& s, int in) {
  os_ << " {\n";
  stmt(s, in + 1);
  pad(in) << "}\n";
}

void Printer::loop(const For& n, int in) {
  pad(in) << "for " << names_.of(n.var.node()) << " in ";
  expr(n.min, 4);
  os_ << "..";
  expr(is_zero(n.min) ? n.extent : n.min + n.extent, 4);
  if (n.loop != ForKind::kSerial) os_ << " " << to_string(n.loop);
  for (const auto& [k, v] : n.notes) os_ << " @" << quoted_unless_word(k) << "=" << v;
  body(n.body, in);
}

void Printer::declare(const Buffer& b) {
  os_ << names_.of(b.get()) << ": " << b->dtype << "[";
  list(b->shape);
  os_ << "]";
  if (b->scope != Scope::kGlobal) os_ << " " << to_string(b->scope);
  if (!b.is_symbolic() && !b->layout.is_row_major()) os_ << " layout(" << b->layout.to_string() << ")";
  if (b->alignment != 64) os_ << " align " << b->alignment;
}

void Printer::region(const Region& r) {
  os_ << names_.of(r.buffer.get()) << "[";
  for (std::size_t i = 0; i < r.min.size(); ++i) {
    if (i) os_ << ", ";
    expr(r.min[i], 4);
    os_ << " +: ";
    expr(r.extent[i], 4);
  }
  os_ << "]";
}

}  // namespace tessera::ir::detail
