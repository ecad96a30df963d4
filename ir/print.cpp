// Text of expressions, the names in it, and the entry points; statements and programs are in
// print_stmt.cpp.
#include "ir/print.h"

#include <cctype>
#include <charconv>
#include <cmath>
#include <ostream>
#include <set>

#include "ir/detail/printer.h"
#include "ir/intrinsics.h"

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

}  // namespace

namespace detail {

namespace {

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

}  // namespace

const char* reduce_word(ReduceOp op) {
  static constexpr const char* kWords[] = {"sum", "prod", "min", "max", "any", "all", "custom"};
  return kWords[static_cast<std::size_t>(op)];
}

void Printer::expr(const Expr& e, int level) {
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

void Printer::list(const Exprs& es) {
  for (std::size_t i = 0; i < es.size(); ++i) {
    if (i) os_ << ", ";
    expr(es[i]);
  }
}

void Printer::call(const std::string& name, const Exprs& args) {
  os_ << name << "(";
  list(args);
  os_ << ")";
}

void Printer::access(const BufferNode* b, const Exprs& indices) {
  os_ << names_.of(b) << "[";
  list(indices);
  os_ << "]";
}

void Printer::binary(const Binary& n, int level) {
  Operator op{};
  if (!infix(n.kind, op)) return call(call_word(n.kind), {n.a, n.b});
  if (op.level < level) os_ << "(";
  expr(n.a, op.level == 3 ? 4 : op.level);
  os_ << " " << op.symbol << " ";
  expr(n.b, op.level + 1);
  if (op.level < level) os_ << ")";
}

void Printer::int_imm(const IntImm& n) {
  if (n.type == i64) {
    os_ << n.value;
  } else if (n.type.is_bool()) {
    os_ << (n.value ? "true" : "false");
  } else {
    os_ << n.type << "(" << n.value << ")";
  }
}

void Printer::float_imm(const FloatImm& n) {
  if (n.type == f32 && std::isfinite(n.value)) {
    os_ << shortest(static_cast<float>(n.value));
  } else {
    os_ << n.type << "(" << float_text(n.value) << ")";
  }
}

void Printer::cast(const Cast& n) {
  if (n.mode == CastMode::kSaturate) os_ << "saturate_";
  if (n.mode == CastMode::kRound) os_ << "round_";
  os_ << n.type.element();
  call("", {n.value});
}

void Printer::shuffle(const Shuffle& n) {
  os_ << "shuffle([";
  list(n.vectors);
  os_ << "], [";
  for (std::size_t i = 0; i < n.indices.size(); ++i) os_ << (i ? ", " : "") << n.indices[i];
  os_ << "])";
}

void Printer::let(const Let& n) {
  os_ << "(let " << names_.of(n.var.node()) << ": " << n.var.type() << " = ";
  expr(n.value);
  os_ << " in ";
  expr(n.body);
  os_ << ")";
}

void Printer::load(const Load& n) {
  if (n.predicate.defined()) os_ << "masked(";
  access(n.buffer.get(), n.indices);
  if (n.predicate.defined()) {
    os_ << ", ";
    expr(n.predicate);
    os_ << ")";
  }
}

void Printer::axes(const Reduce& n) {
  for (const ReduceAxis& a : n.axes) os_ << ", " << names_.of(a.var.node());
}

void Printer::reduce(const Reduce& n) {
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

}  // namespace detail

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
  detail::Printer(out, names).expr(e);
  return out.str();
}

std::string to_string(const Stmt& s, Names& names, int indent) {
  std::ostringstream out;
  detail::Printer(out, names).stmt(s, indent);
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
  detail::Printer(out, names).program(p);
  return out.str();
}

std::ostream& operator<<(std::ostream& os, const Expr& e) { return os << to_string(e); }
std::ostream& operator<<(std::ostream& os, const Stmt& s) { return os << to_string(s); }
std::ostream& operator<<(std::ostream& os, const Program& p) { return os << to_string(p); }

}  // namespace tessera::ir
