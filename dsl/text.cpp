#include "dsl/text.h"

#include <algorithm>
#include <charconv>
#include <functional>
#include <set>

#include "ir/analysis/affine.h"
#include "ir/lexer.h"
#include "ir/parse.h"
#include "ir/print.h"
#include "ir/rewrite.h"
#include "ir/simplify.h"
#include "support/nearest.h"

namespace tessera::dsl {

namespace {

using ir::Interval;
using ir::Token;

constexpr std::size_t kMaxStatement = 16 << 10;
constexpr std::size_t kMaxRank = 8;

/// Unwinds to parse_statement.
struct Wrong {
  std::string reason;
};

template <class... Parts>
[[noreturn]] void fail(const Parts&... parts) {
  throw Wrong{refuse(parts...).reason};
}

enum class Assign : std::uint8_t { kSet, kAdd, kMultiply, kMax, kMin };

struct Head {  // what stands in front of the expression
  std::string output;
  std::vector<std::string> axes;
  Assign assign = Assign::kSet;
  std::size_t end = 0;  // where the expression starts
};

struct Read {
  std::string tensor;
  Exprs indices;
};

class Statement {
 public:
  Statement(std::string_view text, const std::map<std::string, std::int64_t>& extents, const StatementOptions& options)
      : text_(text), extents_(extents), options_(options) {}

  ComputeDag build() {
    if (text_.size() > kMaxStatement) fail("the expression has ", text_.size(), " characters; at most ", kMaxStatement, " are read");
    head();
    for (const std::string& a : head_.axes) axis(a);
    const Expr body = expression();
    check_names();
    infer_shapes(body);
    std::map<std::uint64_t, Buffer> real;
    for (const std::string& name : order_) real[draft_.at(name)->id] = input(name).buffer();
    return make(ir::replace_buffers(body, real));
  }

 private:
  [[noreturn]] void at(const Token& t, const std::string& what) const {
    fail(ir::located(text_, t.offset, std::max<std::size_t>(t.text.size(), 1), what));
  }

  void head() {
    auto tokens = ir::lex(text_);
    if (!tokens.ok()) fail(tokens.reason());
    std::size_t i = 0;
    const auto peek = [&]() -> const Token& { return (*tokens)[std::min(i, tokens->size() - 1)]; };
    const auto is = [&](const char* s) { return peek().kind == Token::Kind::kSymbol && peek().text == s; };
    const auto word = [&](const char* what) {
      if (peek().kind != Token::Kind::kWord) at(peek(), std::string("expected ") + what + "; a program reads OUT[axes] OP expression");
      return (*tokens)[i++].text;
    };
    head_.output = word("the name of the output");
    if (!is("[")) at(peek(), "expected '[' and the axes of the output");
    ++i;
    while (!is("]")) {
      if (!head_.axes.empty()) {
        if (!is(",")) at(peek(), "expected ',' or ']'; the output is indexed by plain axes");
        ++i;
      }
      const Token here = peek();
      const std::string a = word("the name of an axis");
      if (std::find(head_.axes.begin(), head_.axes.end(), a) != head_.axes.end()) at(here, "axis '" + a + "' stands twice");
      head_.axes.push_back(a);
      if (head_.axes.size() > kMaxRank) at(here, "at most 8 axes are supported");
    }
    ++i;
    const Token op = peek();
    if (is("+") || is("*")) {
      head_.assign = is("+") ? Assign::kAdd : Assign::kMultiply;
      ++i;
    } else if (op.kind == Token::Kind::kWord && (op.text == "max" || op.text == "min")) {
      head_.assign = op.text == "max" ? Assign::kMax : Assign::kMin;
      ++i;
    }
    const bool glued = head_.assign == Assign::kSet || peek().offset == op.offset + op.text.size();
    if (!is("=") || !glued) at(op, "expected one of = += *= max= min=");
    head_.end = peek().offset + 1;
  }

  /// The axis of that name, made at its first use; an undefined Var when it has no extent.
  Var axis(const std::string& name) {
    if (const auto it = axes_.find(name); it != axes_.end()) return it->second;
    const auto extent = extents_.find(name);
    const bool data = std::find(head_.axes.begin(), head_.axes.end(), name) != head_.axes.end();
    if (extent == extents_.end()) {
      if (!data) return {};
      fail("axis '", name, "' has no extent; add ", name, "=... to the list of extents");
    }
    const Var v = Var::fresh(name);
    axes_[name] = v;
    bounds_[v.id()] = {0, extent->second - 1};
    if (!data) reduced_.push_back(name);
    return v;
  }

  Type dtype_of(const std::string& tensor) const {
    const auto it = options_.dtypes.find(tensor);
    return it == options_.dtypes.end() ? options_.dtype : it->second;
  }

  Result<Expr> read(const std::string& tensor, const Exprs& indices) {
    if (tensor == head_.output) return refuse("the output '", tensor, "' is never read; give the input another name");
    if (indices.empty() || indices.size() > kMaxRank) return refuse("'", tensor, "' has ", indices.size(), " indices; 1 to 8 work");
    auto it = draft_.find(tensor);
    if (it == draft_.end()) {
      it = draft_.emplace(tensor, Buffer::fresh(tensor, dtype_of(tensor), Exprs(indices.size(), Expr(1)))).first;
      order_.push_back(tensor);
    }
    if (it->second.rank() != indices.size()) return refuse("'", tensor, "' is read with ", indices.size(), " indices here and with ", it->second.rank(), " before");
    Exprs index;
    for (const Expr& i : indices) {
      if (!i.type().is_integral() || i.type().is_bool()) return refuse("index '", to_string(i), "' of '", tensor, "' is ", i.type(), ", not an integer");
      index.push_back(ir::cast(ir::i64, i));
    }
    return it->second.load(std::move(index));
  }

  Expr expression() {
    ir::ExprScope scope;
    scope.variable = [this](const std::string& n) -> Expr { return axis(n); };
    scope.read = [this](const std::string& n, const Exprs& i) { return read(n, i); };
    scope.names = [this] {
      std::vector<std::string> out;
      for (const auto& [n, e] : extents_) out.push_back(n);
      return out;
    };
    auto e = ir::parse_expr(text_.substr(head_.end), scope);
    if (!e.ok()) fail(with_column(e.reason()));
    if (!e->type().is_scalar()) fail("the expression is a vector, ", e->type());
    return *e;
  }

  /// The parser saw the text behind OP; its columns are counted from there. Adds what would help.
  std::string with_column(std::string reason) const {
    const std::string word = "column ";
    if (reason.rfind(word, 0) == 0) {
      std::size_t column = 0;
      const char* first = reason.data() + word.size();
      const auto [end, error] = std::from_chars(first, reason.data() + reason.size(), column);
      if (error == std::errc()) reason = word + std::to_string(column + head_.end) + reason.substr(static_cast<std::size_t>(end - reason.data()));
    }
    if (reason.find("unknown name") != std::string::npos) reason += "; an axis needs an extent, name=N";
    if (reason.find("is not a reduction axis") != std::string::npos || reason.find("needs an axis") != std::string::npos) {
      reason += "; reductions are written by += *= max= or min=";
    }
    return reason;
  }

  void check_names() {
    std::vector<std::string> axes, tensors = order_;
    for (const auto& [n, v] : axes_) axes.push_back(n);
    for (const auto& [n, v] : extents_) {
      if (axes_.count(n) == 0) fail("extent '", n, "' is given, but the expression has no axis of that name", nearest_text(n, axes));
    }
    const auto known = [&](const std::string& n, const char* what) {
      if (draft_.count(n) == 0) fail(what, " '", n, "' is not an input of the expression", nearest_text(n, tensors));
    };
    for (const auto& [n, t] : options_.dtypes) known(n, "the dtype of");
    for (const std::string& n : options_.constants) known(n, "constant");
    if (head_.assign != Assign::kSet || reduced_.empty()) return;
    fail("axis '", reduced_[0], "' is no axis of ", head_.output, ", and = does not reduce; use += *= max= or min=");
  }

  // ---- shapes -----------------------------------------------------------------------------------

  /// Ends of `index` that the conditions around the read promise.
  void tighten(const Expr& index, const Exprs& conditions, Interval& r) const {
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
        const Interval other = ir::range_of(b->b, bounds_);
        if (other.is_bounded()) r.hi = std::min(r.hi, other.hi - strict + d);
        if (equal && other.is_bounded()) r.lo = std::max(r.lo, other.lo + d);
      }
      if (distance(b->b, d)) {
        const Interval other = ir::range_of(b->a, bounds_);
        if (other.is_bounded()) r.lo = std::max(r.lo, other.lo + strict + d);
        if (equal && other.is_bounded()) r.hi = std::min(r.hi, other.hi + d);
      }
    }
  }

  static void conjuncts(const Expr& condition, bool holds, Exprs& out) {
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

  void infer_shapes(const Expr& body) {
    for (const std::string& n : order_) shapes_[n].assign(draft_.at(n).rank(), 1);
    visit(body, {});
  }

  void visit(const Expr& e, const Exprs& conditions) {
    if (const auto* i = e.as<ir::IfThenElseExpr>()) {
      visit(i->condition, conditions);
      for (const bool side : {true, false}) {
        Exprs inner = conditions;
        conjuncts(i->condition, side, inner);
        visit(side ? i->yes : i->no, inner);
      }
      return;
    }
    if (const auto* l = e.as<ir::Load>()) {
      for (std::size_t d = 0; d < l->indices.size(); ++d) cover(*l, e, d, conditions);
    }
    ir::for_each_child(e, [&](const Expr& c) { visit(c, conditions); });
  }

  void cover(const ir::Load& l, const Expr& e, std::size_t d, const Exprs& conditions) {
    Interval r = ir::range_of(ir::simplify(l.indices[d], bounds_), bounds_);
    tighten(l.indices[d], conditions, r);
    if (r.hi < r.lo) return;  // never read
    bool data = false;
    ir::walk(l.indices[d], [&](const Expr& x) { return !(data |= x.as<ir::Load>() != nullptr); });
    if (!r.is_bounded() || (data && r.lo < 0)) fail("index ", d, " of '", to_string(e), "' has no known range; make it of axes and constants, or clamp it with min and max");
    if (r.lo < 0) {
      fail("index ", d, " of '", to_string(e), "' runs from ", r.lo, "; shift it, or guard the read with if_then_else");
    }
    std::int64_t& extent = shapes_[l.buffer->name][d];
    extent = std::max(extent, r.hi + 1);
  }

  // ---- the program ------------------------------------------------------------------------------

  Tensor input(const std::string& name) const {
    Exprs shape;
    for (const std::int64_t n : shapes_.at(name)) shape.push_back(ir::int_imm(n));
    const bool fixed = std::find(options_.constants.begin(), options_.constants.end(), name) != options_.constants.end();
    return fixed ? constant(shape, dtype_of(name), name, {}) : placeholder(shape, dtype_of(name), name, {});
  }

  ComputeDag make(const Expr& body) const {
    Exprs shape;
    for (const std::string& a : head_.axes) shape.push_back(ir::int_imm(extents_.at(a)));
    ReduceVars over;
    ir::VarMap with;
    for (const std::string& n : reduced_) {
      over.push_back(reduce_axis(ir::int_imm(extents_.at(n)), n, {}));
      with[axes_.at(n).id()] = over.back();
    }
    const auto element = [&](const std::vector<Var>& vars) {
      for (std::size_t d = 0; d < vars.size(); ++d) with[axes_.at(head_.axes[d]).id()] = vars[d];
      const Expr e = ir::substitute(body, with);
      if (over.empty()) return Exprs{e};
      switch (head_.assign) {
        case Assign::kAdd: return Exprs{sum(e, over)};
        case Assign::kMultiply: return Exprs{prod(e, over)};
        case Assign::kMax: return Exprs{max(e, over)};
        case Assign::kMin: return Exprs{min(e, over)};
        case Assign::kSet: break;
      }
      TESSERA_UNREACHABLE();
    };
    return ComputeDag::from_outputs({compute_named(shape, head_.axes, element, head_.output, {})}, options_.name);
  }

  std::string_view text_;
  const std::map<std::string, std::int64_t>& extents_;
  const StatementOptions& options_;
  Head head_;
  std::map<std::string, Var> axes_;
  ir::Bounds bounds_;
  std::vector<std::string> reduced_;     // in order of first use
  std::map<std::string, Buffer> draft_;  // inputs before their shapes are known
  std::vector<std::string> order_;       // inputs in order of first use
  std::map<std::string, std::vector<std::int64_t>> shapes_;
};

}  // namespace

Result<std::map<std::string, std::int64_t>> parse_extents(std::string_view text) {
  std::map<std::string, std::int64_t> out;
  if (text.size() > kMaxStatement) return refuse("the list of extents has ", text.size(), " characters; at most ", kMaxStatement, " are read");
  if (text.empty()) return out;
  for (std::size_t from = 0; from <= text.size();) {
    const std::size_t comma = std::min(text.find(',', from), text.size());
    std::string_view item = text.substr(from, comma - from);
    while (!item.empty() && item.front() == ' ') item.remove_prefix(1);
    while (!item.empty() && item.back() == ' ') item.remove_suffix(1);
    from = comma + 1;
    const std::size_t equals = item.find('=');
    const std::string shown(item.substr(0, 40));
    if (equals == std::string_view::npos || equals == 0) return refuse("'", shown, "' is not name=number");
    const std::string name(item.substr(0, std::min<std::size_t>(equals, 40)));
    const std::string_view digits = item.substr(equals + 1);
    std::int64_t n = 0;
    const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), n);
    const bool number = error != std::errc::invalid_argument && end == digits.data() + digits.size();
    if (!number) return refuse("'", std::string(digits.substr(0, 40)), "' of '", name, "' is not a whole number");
    if (error == std::errc::result_out_of_range || n < 1 || n > INT32_MAX) {
      return refuse("'", name, "' is ", std::string(digits.substr(0, 40)), "; numbers from 1 to 2147483647 work");
    }
    if (!out.emplace(name, n).second) return refuse("'", name, "' is given twice");
  }
  return out;
}

Result<ComputeDag> parse_statement(std::string_view text, std::string_view extents, const StatementOptions& options) {
  const auto list = parse_extents(extents);
  if (!list.ok()) return refuse("extents: ", list.reason());
  try {
    return Statement(text, *list, options).build();
  } catch (const Wrong& w) {
    return refuse("expression: ", w.reason);
  } catch (const UserError& e) {
    return refuse("expression: ", e.what());
  }
}

}  // namespace tessera::dsl
