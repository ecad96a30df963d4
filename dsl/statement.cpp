#include "dsl/detail/statement.h"

#include <algorithm>

#include "ir/analysis/affine.h"
#include "ir/rewrite.h"
#include "ir/simplify.h"

namespace tessera::dsl::detail {

namespace {

using ir::Interval;
using ir::Token;

/// Ends of `index` that the conditions around the read promise.
void tighten(const Expr& index, const Exprs& conditions, const ir::Bounds& bounds, Interval& r) {
  const ir::AffineSum whole = ir::affine_sum(index);
  const auto distance = [&](const Expr& e, std::int64_t& d) {
    ir::AffineSum s = whole;
    s.add(ir::affine_sum(e), -1);
    d = s.constant;
    return s.is_constant();
  };
  for (const Expr& c : conditions) {
    const ir::Binary* b = ir::as_binary(c);
    if (b == nullptr || b->a.type() != ir::i64) continue;
    const bool equal = c->kind == ir::ExprKind::kEQ;
    if (!equal && c->kind != ir::ExprKind::kLT && c->kind != ir::ExprKind::kLE) continue;
    const std::int64_t strict = c->kind == ir::ExprKind::kLT ? 1 : 0;
    std::int64_t d = 0;
    if (distance(b->a, d)) {  // index = a + d <= b + d
      const Interval other = ir::range_of(b->b, bounds);
      if (other.is_bounded()) r.hi = std::min(r.hi, other.hi - strict + d);
      if (equal && other.is_bounded()) r.lo = std::max(r.lo, other.lo + d);
    }
    if (distance(b->b, d)) {
      const Interval other = ir::range_of(b->a, bounds);
      if (other.is_bounded()) r.lo = std::max(r.lo, other.lo + strict + d);
      if (equal && other.is_bounded()) r.hi = std::min(r.hi, other.hi + d);
    }
  }
}

/// Adds the parts of a condition that all hold (or, of one that does not, that all do not).
void conjuncts(const Expr& condition, bool holds, Exprs& out) {
  const ir::Binary* b = ir::as_binary(condition);
  const auto* n = condition.as<ir::Not>();
  if (n != nullptr) return conjuncts(n->a, !holds, out);
  if (b != nullptr && condition->kind == (holds ? ir::ExprKind::kAnd : ir::ExprKind::kOr)) {
    conjuncts(b->a, holds, out);
    conjuncts(b->b, holds, out);
  } else if (holds) {
    out.push_back(condition);
  } else if (b != nullptr && condition->kind == ir::ExprKind::kLT) {
    out.push_back(b->b <= b->a);
  } else if (b != nullptr && condition->kind == ir::ExprKind::kLE) {
    out.push_back(b->b < b->a);
  }
}

void visit_reads(const Expr& e, const Exprs& conditions, const ReadVisitor& visit) {
  if (const auto* i = e.as<ir::IfThenElseExpr>()) {
    visit_reads(i->condition, conditions, visit);
    for (const bool side : {true, false}) {
      Exprs inner = conditions;
      conjuncts(i->condition, side, inner);
      visit_reads(side ? i->yes : i->no, inner, visit);
    }
    return;
  }
  if (const auto* l = e.as<ir::Load>()) visit(*l, e, conditions);
  ir::for_each_child(e, [&](const Expr& c) { visit_reads(c, conditions, visit); });
}

}  // namespace

void fail_at(std::string_view text, const Token& t, const std::string& what) {
  fail(ir::located(text, t.offset, std::max<std::size_t>(t.text.size(), 1), what));
}

bool StatementHead::has_axis(const std::string& name) const { return std::find(axes.begin(), axes.end(), name) != axes.end(); }

StatementHead read_head(std::string_view text, const std::vector<Token>& tokens, std::size_t& i) {
  StatementHead out;
  const auto peek = [&]() -> const Token& { return tokens[std::min(i, tokens.size() - 1)]; };
  const auto is = [&](const char* s) { return peek().kind == Token::Kind::kSymbol && peek().text == s; };
  const auto word = [&](const char* what) {
    if (peek().kind != Token::Kind::kWord) fail_at(text, peek(), std::string("expected ") + what + "; a statement reads OUT[axes] OP expression");
    return tokens[i++];
  };
  out.output = word("the name of the output");
  if (!is("[") && !is("(")) fail_at(text, peek(), "expected '[' and the axes of the output");
  const char* close = is("[") ? "]" : ")";
  ++i;
  while (!is(close)) {
    if (!out.axes.empty()) {
      if (!is(",")) fail_at(text, peek(), std::string("expected ',' or '") + close + "'; the output is indexed by plain axes");
      ++i;
    }
    const Token here = peek();
    const std::string a = word("the name of an axis").text;
    if (out.has_axis(a)) fail_at(text, here, "axis '" + a + "' stands twice");
    out.axes.push_back(a);
    if (out.axes.size() > kMaxRank) fail_at(text, here, "at most 8 axes are supported");
  }
  ++i;
  const Token op = peek();
  if (is("+") || is("*")) {
    out.assign = is("+") ? Assign::kAdd : Assign::kMultiply;
    ++i;
  } else if (op.kind == Token::Kind::kWord && (op.text == "max" || op.text == "min")) {
    out.assign = op.text == "max" ? Assign::kMax : Assign::kMin;
    ++i;
  }
  const bool glued = out.assign == Assign::kSet || peek().offset == op.offset + op.text.size();
  if (!is("=") || !glued) fail_at(text, op, "expected one of = += *= max= min=");
  out.end = peek().offset + 1;
  ++i;
  if (is("!") && out.assign != Assign::kSet && peek().offset == out.end) {
    out.initialises = true;
    out.end = peek().offset + 1;
    ++i;
  }
  return out;
}

void for_each_read(const Expr& body, const ReadVisitor& visit) { visit_reads(body, {}, visit); }

Interval range_of_read(const Expr& index, const Exprs& conditions, const ir::Bounds& bounds) {
  Interval r = ir::range_of(ir::simplify(index, bounds), bounds);
  tighten(index, conditions, bounds, r);
  return r;
}

bool is_looked_up(const Expr& index) {
  bool out = false;
  ir::walk(index, [&](const Expr& x) { return !(out |= x.as<ir::Load>() != nullptr); });
  return out;
}

Tensor make_statement(const std::string& name, const std::vector<StatementAxis>& data, const std::vector<StatementAxis>& reduced, Assign assign,
                      const Expr& body) {
  Exprs shape;
  std::vector<std::string> names;
  for (const StatementAxis& a : data) {
    shape.push_back(ir::int_imm(a.extent));
    names.push_back(a.name);
  }
  ReduceVars over;
  ir::VarMap with;
  for (const StatementAxis& a : reduced) {
    over.push_back(reduce_axis(ir::int_imm(a.extent), a.name, {}));
    with[a.var.id()] = over.back();
  }
  const auto element = [&](const std::vector<Var>& vars) {
    for (std::size_t d = 0; d < vars.size(); ++d) with[data[d].var.id()] = vars[d];
    const Expr e = ir::substitute(body, with);
    if (over.empty()) return Exprs{e};
    switch (assign) {
      case Assign::kAdd: return Exprs{sum(e, over)};
      case Assign::kMultiply: return Exprs{prod(e, over)};
      case Assign::kMax: return Exprs{max(e, over)};
      case Assign::kMin: return Exprs{min(e, over)};
      case Assign::kSet: break;
    }
    TESSERA_UNREACHABLE();
  };
  return compute_named(shape, names, element, name, {});
}

}  // namespace tessera::dsl::detail
