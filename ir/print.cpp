#include "ir/print.h"

#include <cctype>
#include <charconv>
#include <cmath>
#include <ostream>
#include <set>

#include "ir/intrinsics.h"
#include "ir/lexer.h"

namespace tessera::ir {

namespace {

/// The shortest decimal that reads back to the same T.
template <class T>
std::string shortest(T v) {
  char buf[40];
  const auto [end, err] = std::to_chars(buf, buf + sizeof(buf), v);
  std::string s(buf, err == std::errc() ? end : buf);
  if (s.find_first_of(".e") == std::string::npos) s += ".0";
  return s;
}

const char* reduce_word(ReduceOp op) {
  static constexpr const char* kWords[] = {"sum", "prod", "min", "max", "any", "all", "custom"};
  return kWords[static_cast<std::size_t>(op)];
}

struct Operator {
  const char* symbol;
  int level;  // binds tighter when larger
};

/// Infix operators; the other binary kinds print as calls.
bool infix(ExprKind k, Operator& out) {
  switch (k) {
    case ExprKind::kOr: out = {"||", 1}; return true;
    case ExprKind::kAnd: out = {"&&", 2}; return true;
    case ExprKind::kEQ: out = {"==", 3}; return true;
    case ExprKind::kNE: out = {"!=", 3}; return true;
    case ExprKind::kLT: out = {"<", 3}; return true;
    case ExprKind::kLE: out = {"<=", 3}; return true;
    case ExprKind::kAdd: out = {"+", 4}; return true;
    case ExprKind::kSub: out = {"-", 4}; return true;
    case ExprKind::kMul: out = {"*", 5}; return true;
    case ExprKind::kDiv: out = {"/", 5}; return true;
    case ExprKind::kFloorDiv: out = {"//", 5}; return true;
    case ExprKind::kFloorMod: out = {"%", 5}; return true;
    default: return false;
  }
}

const char* call_word(ExprKind k) {
  switch (k) {
    case ExprKind::kMod: return "truncmod";
    case ExprKind::kMin: return "min";
    case ExprKind::kMax: return "max";
    case ExprKind::kBitAnd: return "bit_and";
    case ExprKind::kBitOr: return "bit_or";
    case ExprKind::kBitXor: return "bit_xor";
    case ExprKind::kShiftLeft: return "shift_left";
    case ExprKind::kShiftRight: return "shift_right";
    default: return "?";
  }
}

class Printer {
 public:
  Printer(std::ostream& os, Names& names) : os_(os), names_(names) {}

  void expr(const Expr& e, int level = 0) {
    if (!e.defined()) {
      os_ << "<undefined>";
      return;
    }
    if (const Binary* n = as_binary(e)) return binary(*n, level);
    switch (e->kind) {
      case ExprKind::kIntImm: return int_imm(*e.as<IntImm>());
      case ExprKind::kFloatImm: return float_imm(*e.as<FloatImm>());
      case ExprKind::kVar: os_ << names_.of(e.as<VarNode>()); return;
      case ExprKind::kCast: return cast(*e.as<Cast>());
      case ExprKind::kReinterpret:
        os_ << "reinterpret_" << e.type().element();
        return call("", {e.as<Reinterpret>()->value});
      case ExprKind::kNot: os_ << "!"; return expr(e.as<Not>()->a, 7);
      case ExprKind::kSelect: {
        const auto* n = e.as<Select>();
        return call("select", {n->condition, n->yes, n->no});
      }
      case ExprKind::kIfThenElseExpr: {
        const auto* n = e.as<IfThenElseExpr>();
        return call("if_then_else", {n->condition, n->yes, n->no});
      }
      case ExprKind::kRamp: {
        const auto* n = e.as<Ramp>();
        return call("ramp", {n->base, n->stride, ir::int_imm(e.type().lanes)});
      }
      case ExprKind::kBroadcast:
        return call("broadcast", {e.as<Broadcast>()->value, ir::int_imm(e.type().lanes)});
      case ExprKind::kShuffle: return shuffle(*e.as<Shuffle>());
      case ExprKind::kVectorReduce: {
        const auto* n = e.as<VectorReduce>();
        os_ << "vector_" << reduce_word(n->op);
        return call("", {n->value, ir::int_imm(n->type.lanes)});
      }
      case ExprKind::kLet: return let(*e.as<Let>());
      case ExprKind::kCall: return call(intrinsic_info(e.as<Call>()->intrinsic).name, e.as<Call>()->args);
      case ExprKind::kLoad: return load(*e.as<Load>());
      case ExprKind::kReduce: return reduce(*e.as<Reduce>());
      default: os_ << kind_name(e->kind); return;
    }
  }

  /// `last`: nothing follows in the enclosing block, so what an alloc or let covers needs no braces.
  void stmt(const Stmt& s, int in, bool last = true) {
    if (!s) return;
    switch (s->kind) {
      case StmtKind::kBlock:
        return block(*s.as<Block>(), in);
      case StmtKind::kFor: return loop(*s.as<For>(), in);
      case StmtKind::kStore: {
        const auto* n = s.as<Store>();
        pad(in);
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
        os_ << " locality " << n->locality << "\n";
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

  void program(const Program& p) {
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

 private:
  std::ostream& pad(int n) {
    for (int i = 0; i < n; ++i) os_ << "  ";
    return os_;
  }

  void block(const Block& n, int in) {
    for (const Stmt& x : n.stmts) stmt(x, in, &x == &n.stmts.back());
  }

  void rest(const Stmt& s, int in, bool last) {
    if (!last) return body(s, in);
    os_ << "\n";
    stmt(s, in);
  }

  void body(const Stmt& s, int in) {
    os_ << " {\n";
    stmt(s, in + 1);
    pad(in) << "}\n";
  }

  void loop(const For& n, int in) {
    pad(in) << "for " << names_.of(n.var.node()) << " in ";
    expr(n.min, 4);
    os_ << "..";
    expr(is_zero(n.min) ? n.extent : n.min + n.extent, 4);
    if (n.loop != ForKind::kSerial) os_ << " " << to_string(n.loop);
    for (const auto& [k, v] : n.notes) os_ << " @" << quoted_unless_word(k) << "=" << v;
    body(n.body, in);
  }

  void declare(const Buffer& b) {
    os_ << names_.of(b.get()) << ": " << b->dtype << "[";
    list(b->shape);
    os_ << "]";
    if (b->scope != Scope::kGlobal) os_ << " " << to_string(b->scope);
    if (!b.is_symbolic() && !b->layout.is_row_major()) os_ << " layout(" << b->layout.to_string() << ")";
    if (b->alignment != 64) os_ << " align " << b->alignment;
  }

  void list(const Exprs& es) {
    for (std::size_t i = 0; i < es.size(); ++i) {
      if (i) os_ << ", ";
      expr(es[i]);
    }
  }

  void call(const std::string& name, const Exprs& args) {
    os_ << name << "(";
    list(args);
    os_ << ")";
  }

  void access(const BufferNode* b, const Exprs& indices) {
    os_ << names_.of(b) << "[";
    list(indices);
    os_ << "]";
  }

  void region(const Region& r) {
    os_ << names_.of(r.buffer.get()) << "[";
    for (std::size_t i = 0; i < r.min.size(); ++i) {
      if (i) os_ << ", ";
      expr(r.min[i], 4);
      os_ << " +: ";
      expr(r.extent[i], 4);
    }
    os_ << "]";
  }

  void binary(const Binary& n, int level) {
    Operator op{};
    if (!infix(n.kind, op)) return call(call_word(n.kind), {n.a, n.b});
    if (op.level < level) os_ << "(";
    expr(n.a, op.level == 3 ? 4 : op.level);
    os_ << " " << op.symbol << " ";
    expr(n.b, op.level + 1);
    if (op.level < level) os_ << ")";
  }

  void int_imm(const IntImm& n) {
    if (n.type == i64) {
      os_ << n.value;
    } else if (n.type.is_bool()) {
      os_ << (n.value ? "true" : "false");
    } else {
      os_ << n.type << "(" << n.value << ")";
    }
  }

  void float_imm(const FloatImm& n) {
    if (n.type == f32 && std::isfinite(n.value)) {
      os_ << shortest(static_cast<float>(n.value));
    } else {
      os_ << n.type << "(" << float_text(n.value) << ")";
    }
  }

  void cast(const Cast& n) {
    if (n.mode == CastMode::kSaturate) os_ << "saturate_";
    if (n.mode == CastMode::kRound) os_ << "round_";
    os_ << n.type.element();
    call("", {n.value});
  }

  void shuffle(const Shuffle& n) {
    os_ << "shuffle([";
    list(n.vectors);
    os_ << "], [";
    for (std::size_t i = 0; i < n.indices.size(); ++i) os_ << (i ? ", " : "") << n.indices[i];
    os_ << "])";
  }

  void let(const Let& n) {
    os_ << "(let " << names_.of(n.var.node()) << ": " << n.var.type() << " = ";
    expr(n.value);
    os_ << " in ";
    expr(n.body);
    os_ << ")";
  }

  void load(const Load& n) {
    if (n.predicate.defined()) os_ << "masked(";
    access(n.buffer.get(), n.indices);
    if (n.predicate.defined()) {
      os_ << ", ";
      expr(n.predicate);
      os_ << ")";
    }
  }

  void axes(const Reduce& n) {
    for (const ReduceAxis& a : n.axes) os_ << ", " << names_.of(a.var.node());
  }

  void reduce(const Reduce& n) {
    if (n.combiner->op != ReduceOp::kCustom) {
      os_ << reduce_word(n.combiner->op) << "(";
      expr(n.sources[0]);
      axes(n);
      os_ << ")";
      return;
    }
    os_ << "reduce([";
    for (std::size_t i = 0; i < n.combiner->lhs.size(); ++i) {
      os_ << (i ? ", " : "") << names_.of(n.combiner->lhs[i].node()) << " " << names_.of(n.combiner->rhs[i].node());
    }
    os_ << "], [";
    list(n.combiner->result);
    os_ << "], [";
    list(n.combiner->identity);
    os_ << "], [";
    list(n.sources);
    os_ << "]";
    axes(n);
    os_ << ")[" << n.index << "]";
  }

  std::ostream& os_;
  Names& names_;
};

}  // namespace

std::string float_text(double v) {
  if (std::isnan(v)) return "nan";
  if (std::isinf(v)) return v < 0 ? "-inf" : "inf";
  return shortest(v);
}

std::string Names::unique(const std::string& hint) {
  // What the parser reads as one word that has no other meaning.
  static const std::set<std::string> kReserved{"true", "false", "let", "in", "if"};
  const auto in_word = [](char c) { return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '_'; };
  std::string base = hint.empty() ? "v" : hint;
  for (std::size_t i = 0; i < base.size(); ++i) {
    const bool dot = base[i] == '.' && i > 0 && i + 1 < base.size() && in_word(base[i + 1]);
    if (!in_word(base[i]) && !dot) base[i] = '_';
  }
  if (std::isdigit(static_cast<unsigned char>(base[0])) != 0 || kReserved.count(base) != 0) base = "_" + base;
  std::string name = base;
  while (used_.count(name) != 0) name = base + "_" + std::to_string(++used_[base]);
  used_[name];
  return name;
}

std::string Names::of(const VarNode* v) {
  auto [it, added] = vars_.try_emplace(v->id);
  if (added) it->second = unique(v->name);
  return it->second;
}

std::string Names::of(const BufferNode* b) {
  auto [it, added] = buffers_.try_emplace(b->id);
  if (added) it->second = unique(b->name);
  return it->second;
}

std::string to_string(const Expr& e, Names& names) {
  std::ostringstream out;
  Printer(out, names).expr(e);
  return out.str();
}

std::string to_string(const Stmt& s, Names& names, int indent) {
  std::ostringstream out;
  Printer(out, names).stmt(s, indent);
  return out.str();
}

std::string to_string(const Expr& e) {
  Names names;
  return to_string(e, names);
}

std::string to_string(const Stmt& s) {
  Names names;
  return to_string(s, names);
}

std::string to_string(const Program& p) {
  std::ostringstream out;
  Names names;
  Printer(out, names).program(p);
  return out.str();
}

std::ostream& operator<<(std::ostream& os, const Expr& e) { return os << to_string(e); }
std::ostream& operator<<(std::ostream& os, const Stmt& s) { return os << to_string(s); }
std::ostream& operator<<(std::ostream& os, const Program& p) { return os << to_string(p); }

}  // namespace tessera::ir
