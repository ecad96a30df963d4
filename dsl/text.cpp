#include "dsl/text.h"

#include <algorithm>
#include <charconv>
#include <set>

#include "dsl/detail/statement.h"
#include "ir/lexer.h"
#include "ir/parse.h"
#include "ir/print.h"
#include "ir/rewrite.h"
#include "ir/simplify.h"
#include "support/nearest.h"

namespace tessera::dsl {

namespace {

using ir::Interval;

using detail::Assign;
using detail::fail;
using detail::kMaxRank;
using detail::kMaxStatement;
using detail::StatementAxis;
using detail::StatementHead;
using detail::WrongText;

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
  void head() {
    auto tokens = ir::lex(text_);
    if (!tokens.ok()) fail(tokens.reason());
    std::size_t i = 0;
    head_ = detail::read_head(text_, *tokens, i);
  }

  /// The axis of that name, made at its first use; an undefined Var when it has no extent.
  Var axis(const std::string& name) {
    if (const auto it = axes_.find(name); it != axes_.end()) return it->second;
    const auto extent = extents_.find(name);
    const bool data = head_.has_axis(name);
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
    if (tensor == head_.output.text) return refuse("the output '", tensor, "' is never read; give the input another name");
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
    scope.real = options_.dtype == ir::f64 ? ir::f64 : ir::f32;
    std::size_t at = head_.end;
    auto e = ir::parse_expr_at(text_, at, scope);
    if (!e.ok()) fail(with_help(e.reason()));
    if (at < text_.size()) fail(ir::located(text_, at, 1, "expected an operator or the end"));
    if (!e->type().is_scalar()) fail("the expression is a vector, ", e->type());
    return *e;
  }

  static std::string with_help(std::string reason) {
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
    fail("axis '", reduced_[0], "' is no axis of ", head_.output.text, ", and = does not reduce; use += *= max= or min=");
  }

  // ---- shapes -----------------------------------------------------------------------------------

  void infer_shapes(const Expr& body) {
    for (const std::string& n : order_) shapes_[n].assign(draft_.at(n).rank(), 1);
    detail::for_each_read(body, [&](const ir::Load& l, const Expr& e, const Exprs& conditions) {
      for (std::size_t d = 0; d < l.indices.size(); ++d) cover(l, e, d, conditions);
    });
  }

  void cover(const ir::Load& l, const Expr& e, std::size_t d, const Exprs& conditions) {
    const Interval r = detail::range_of_read(l.indices[d], conditions, bounds_);
    if (r.hi < r.lo) return;  // never read
    if (!r.is_bounded() || (detail::is_looked_up(l.indices[d]) && r.lo < 0)) fail("index ", d, " of '", to_string(e), "' has no known range; make it of axes and constants, or clamp it with min and max");
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
    const auto of = [&](const std::vector<std::string>& names) {
      std::vector<StatementAxis> out;
      for (const std::string& n : names) out.push_back({n, axes_.at(n), extents_.at(n)});
      return out;
    };
    return ComputeDag::from_outputs({detail::make_statement(head_.output.text, of(head_.axes), of(reduced_), head_.assign, body)}, options_.name);
  }

  std::string_view text_;
  const std::map<std::string, std::int64_t>& extents_;
  const StatementOptions& options_;
  StatementHead head_;
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
  } catch (const WrongText& w) {
    return refuse("expression: ", w.reason);
  } catch (const UserError& e) {
    return refuse("expression: ", e.what());
  }
}

}  // namespace tessera::dsl
