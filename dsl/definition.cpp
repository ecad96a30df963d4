// Whole programs in the notation of Tensor Comprehensions (Vasilache et al., 2018): dsl/text.h has the grammar.
#include <algorithm>
#include <optional>
#include <set>

#include "dsl/detail/ranges.h"
#include "dsl/detail/statement.h"
#include "dsl/text.h"
#include "ir/parse.h"
#include "ir/print.h"
#include "ir/rewrite.h"
#include "ir/simplify.h"
#include "support/nearest.h"

namespace tessera::dsl {

namespace {

using detail::Assign;
using detail::fail;
using detail::fail_at;
using detail::Ranges;
using detail::StatementAxis;
using detail::StatementHead;
using ir::Interval;
using ir::Token;

constexpr std::size_t kMaxDefinition = 64 << 10;

/// `text` with `# comments` and a byte order mark blanked out: places stay what they are.
std::string without_comments(std::string_view text) {
  std::string out(text);
  if (text.starts_with("\xef\xbb\xbf")) out.replace(0, 3, 3, ' ');
  for (std::size_t at = 0; (at = out.find('#', at)) != std::string::npos;) {
    while (at < out.size() && out[at] != '\n' && out[at] != '\r') out[at++] = ' ';
  }
  return out;
}

/// The types of C that the notation has, and ours.
std::optional<Type> type_named(const std::string& word) {
  static const std::map<std::string, Type> kOfC{{"float", ir::f32}, {"double", ir::f64}, {"half", ir::f16},  {"bfloat16", ir::bf16}, {"int8", ir::i8},
                                                {"int16", ir::i16}, {"int32", ir::i32},  {"int64", ir::i64}, {"uint8", ir::u8},      {"uint16", ir::u16},
                                                {"uint32", ir::u32}, {"uint64", ir::u64}};
  if (const auto it = kOfC.find(word); it != kOfC.end()) return it->second;
  const auto t = ir::parse_type(word);
  if (!t.ok() || !t->is_scalar()) return std::nullopt;
  return *t;
}

std::int64_t extent_of(const Expr& e) {
  std::int64_t out = 0;
  TESSERA_CHECK(ir::is_const_int(e, &out)) << "extent " << to_string(e);
  return out;
}

class Definition {
 public:
  Definition(std::string_view text, const std::map<std::string, std::int64_t>& sizes, const DefinitionOptions& options)
      : text_(without_comments(text)), sizes_(sizes), options_(options) {}

  ComputeDag build() {
    if (text_.size() > kMaxDefinition) fail("the definition has ", text_.size(), " characters; at most ", kMaxDefinition, " are read");
    auto tokens = ir::lex(text_);
    if (!tokens.ok()) fail(tokens.reason());
    tokens_ = std::move(*tokens);
    signature();
    count_definitions();
    while (!is("}")) statement();
    ++at_;
    if (peek().kind != Token::Kind::kEnd) wrong("one definition a file works; this is more than the '}' of '" + name_ + "'");
    return finish();
  }

 private:
  // ---- tokens -----------------------------------------------------------------------------------

  const Token& peek() const { return tokens_[std::min(at_, tokens_.size() - 1)]; }
  bool is(const char* symbol) const { return peek().kind == Token::Kind::kSymbol && peek().text == symbol; }
  bool is_word(const char* word) const { return peek().kind == Token::Kind::kWord && peek().text == word; }
  [[noreturn]] void wrong(const std::string& what) const { fail_at(text_, peek(), what); }
  bool accept(const char* symbol) { return is(symbol) && (++at_, true); }
  void expect(const char* symbol, const char* where) {
    if (!accept(symbol)) wrong(std::string("expected '") + symbol + "' " + where);
  }
  /// What `f` refuses is said of token `t`.
  template <class F>
  auto blame(const Token& t, const F& f) const {
    try {
      return f();
    } catch (const UserError& e) {
      fail_at(text_, t, e.what());
    }
  }
  Token word(const char* what) {
    if (peek().kind != Token::Kind::kWord) wrong(std::string("expected ") + what);
    return tokens_[at_++];
  }
  void skip_to(std::size_t offset) {
    while (peek().kind != Token::Kind::kEnd && peek().offset < offset) ++at_;
  }

  // ---- def NAME(float(M, K) A, ...) -> (C) { ----------------------------------------------------

  void signature() {
    if (!is_word("def")) wrong("expected 'def NAME(float(M, K) A, ...) -> (C) { ... }'");
    ++at_;
    name_ = word("the name of the definition").text;
    expect("(", "and the inputs");
    if (!accept(")")) {
      do parameter();
      while (accept(","));
      expect(")", "or ',' and another input");
    }
    if (!accept("-") || !accept(">")) wrong("expected '->' and the outputs");
    expect("(", "and the outputs");
    do {
      const Token t = word("the name of an output");
      if (tensors_.count(t.text) != 0) fail_at(text_, t, "'" + t.text + "' is an input, and inputs are not written; give the output another name");
      if (std::any_of(outputs_.begin(), outputs_.end(), [&](const Token& o) { return o.text == t.text; })) fail_at(text_, t, "output '" + t.text + "' stands twice");
      outputs_.push_back(t);
    } while (accept(","));
    expect(")", "or ',' and another output");
    expect("{", "and the statements");
  }

  void parameter() {
    const Token t = word("the type of an input, for example float(M, K)");
    const std::optional<Type> type = type_named(t.text);
    if (!type) fail_at(text_, t, "'" + t.text + "' is no type; float, double, half, int8 ... uint64 and our own, f32, bf16, work");
    Exprs shape;
    if (accept("(")) {
      do shape.push_back(ir::int_imm(size()));
      while (accept(","));
      expect(")", "or ',' and another size");
    }
    if (shape.size() > detail::kMaxRank) wrong("at most 8 dimensions are supported");
    const Token name = word("the name of an input");
    if (sizes_.count(name.text) != 0) fail_at(text_, name, "'" + name.text + "' is a size already");
    const bool fixed = std::find(options_.constants.begin(), options_.constants.end(), name.text) != options_.constants.end();
    const Tensor tensor = blame(name, [&] { return fixed ? constant(shape, *type, name.text, {}) : placeholder(shape, *type, name.text, {}); });
    if (!tensors_.emplace(name.text, tensor).second) fail_at(text_, name, "input '" + name.text + "' stands twice");
    named_.emplace(name.text, name);
    inputs_.push_back(name.text);
    wide_ |= *type == ir::f64;
  }

  std::int64_t size() {
    const Token t = peek();
    if (t.kind == Token::Kind::kInteger) {
      if (t.integer < 1 || t.integer > INT32_MAX) wrong("a size lies between 1 and 2147483647");
      ++at_;
      return static_cast<std::int64_t>(t.integer);
    }
    const std::string name = word("a size").text;
    const auto it = sizes_.find(name);
    if (it == sizes_.end()) fail_at(text_, t, "size '" + name + "' has no value; add " + name + "=... to the list of extents");
    used_.insert(name);
    return it->second;
  }

  /// How often each tensor is defined: all but its last definition get a name of their own.
  void count_definitions() {
    for (std::size_t i = at_; i + 1 < tokens_.size(); ++i) {
      if (tokens_[i].kind != Token::Kind::kSymbol || tokens_[i].text != "=") continue;
      std::size_t j = i;
      const auto symbol = [&](const char* s) { return j > at_ && tokens_[j - 1].text == s && tokens_[j - 1].kind == Token::Kind::kSymbol; };
      if (symbol("+") || symbol("*") || (j > at_ && (tokens_[j - 1].text == "max" || tokens_[j - 1].text == "min"))) --j;
      if (!symbol(")") && !symbol("]")) continue;
      while (j > at_ && !symbol("(") && !symbol("[")) --j;
      if (j >= at_ + 2) ++definitions_[tokens_[j - 2].text];
    }
  }

  // ---- statements -------------------------------------------------------------------------------

  void statement() {
    const Token first = peek();
    if (first.kind == Token::Kind::kEnd) wrong("expected a statement or '}'");
    const StatementHead head = detail::read_head(text_, tokens_, at_);
    const std::string& name = head.output.text;
    if (std::find(inputs_.begin(), inputs_.end(), name) != inputs_.end()) {
      fail_at(text_, head.output, "'" + name + "' is an input, and inputs are not written; give the result another name");
    }
    if (sizes_.count(name) != 0) fail_at(text_, head.output, "'" + name + "' is a size already; give the result another name");
    const auto earlier = tensors_.find(name);
    const bool adds = head.assign != Assign::kSet && !head.initialises;
    if (adds && earlier == tensors_.end()) {
      fail_at(text_, head.output, "'" + name + "' has no earlier definition to go on from; with a ! behind the operator it starts from nothing");
    }
    axes_.clear();
    order_.clear();
    Ranges ranges;
    for (const std::string& a : head.axes) {
      if (sizes_.count(a) != 0) fail_at(text_, head.output, "'" + a + "' is a size, which cannot be an index of '" + name + "'");
      if (is_tensor(a)) fail_at(text_, head.output, "'" + a + "' is a tensor, which cannot be an index of '" + name + "'");
      index(a);
    }
    const Expr body = expression(head);
    where(ranges);
    if (earlier != tensors_.end()) again(head, earlier->second, ranges);
    for (const auto& [n, v] : axes_) ranges.add(n, v);
    ranges.infer(body);
    const auto data = axes_of(head, ranges, true), reduced = axes_of(head, ranges, false);
    check_reads(head, body, ranges);
    if (head.assign == Assign::kSet && !reduced.empty()) {
      fail_at(text_, head.output, "index '" + reduced[0].name + "' is none of '" + name + "', and = does not reduce; use +=! *=! max=! or min=!");
    }
    const Tensor before = earlier == tensors_.end() ? Tensor() : earlier->second;
    tensors_[name] = blame(head.output, [&] { return defined(head, data, reduced, shifted(body, ranges), before); });
    named_[name] = head.output;
  }

  /// Inputs, what is defined, and what will be.
  bool is_tensor(const std::string& name) const { return tensors_.count(name) != 0 || definitions_.count(name) != 0; }

  Var index(const std::string& name) {
    if (const auto it = axes_.find(name); it != axes_.end()) return it->second;
    order_.push_back(name);
    return axes_[name] = Var::fresh(name);
  }

  Expr expression(const StatementHead& head) {
    ir::ExprScope scope;
    scope.real = wide_ ? ir::f64 : ir::f32;
    scope.tensor = [this](const std::string& n) { return is_tensor(n); };
    scope.type = type_named;
    scope.variable = [this](const std::string& n) -> Expr {
      if (const auto size = sizes_.find(n); size != sizes_.end()) {
        used_.insert(n);
        return ir::int_imm(size->second);
      }
      return index(n);
    };
    scope.read = [this](const std::string& n, const Exprs& i) { return read(n, i); };
    scope.names = [this] {
      std::vector<std::string> out;
      for (const auto& [n, t] : tensors_) out.push_back(n);
      return out;
    };
    std::size_t end = head.end;
    auto e = ir::parse_expr_at(text_, end, scope);
    if (!e.ok()) fail(e.reason());
    skip_to(end);
    if (!e->type().is_scalar()) fail_at(text_, head.output, "the expression of '" + head.output.text + "' is a vector");
    return *e;
  }

  Result<Expr> read(const std::string& name, const Exprs& indices) {
    const auto it = tensors_.find(name);
    if (it == tensors_.end()) {
      if (definitions_.count(name) != 0) return refuse("'", name, "' is defined only here or below; a statement reads what stands above it");
      std::vector<std::string> known;
      for (const auto& [n, t] : tensors_) known.push_back(n);
      return refuse("'", name, "' is neither an input nor defined above", nearest_text(name, known));
    }
    const std::size_t rank = it->second.shape().size();
    if (rank != indices.size()) return refuse("'", name, "' has ", rank, " dimensions, and is read with ", indices.size(), " indices");
    Exprs at;
    for (const Expr& i : indices) {
      if (!i.type().is_integral() || i.type().is_bool()) return refuse("index '", to_string(i), "' of '", name, "' is ", i.type(), ", not an integer");
      at.push_back(ir::cast(ir::i64, i));
    }
    return it->second.at(std::move(at));
  }

  /// where i in 0:N, j in 1:M-1
  void where(Ranges& ranges) {
    if (!is_word("where")) return;
    ++at_;
    do {
      const Token t = word("an index");
      if (t.text == "exists") fail_at(text_, t, "'exists' is not known; give the range of an index: where i in 0:N");
      if (axes_.count(t.text) == 0) {
        std::vector<std::string> known;
        for (const auto& [n, v] : axes_) known.push_back(n);
        fail_at(text_, t, "'" + t.text + "' is no index of the statement" + nearest_text(t.text, known));
      }
      if (ranges.find(t.text) != nullptr) fail_at(text_, t, "index '" + t.text + "' has a range already");
      if (!is_word("in")) wrong("expected 'in' and a range, for example i in 0:N");
      ++at_;
      const std::int64_t first = bound();
      expect(":", "and the end of the range");
      const std::int64_t end = bound();
      if (first < 0 || end <= first) fail_at(text_, t, "index '" + t.text + "' runs from " + std::to_string(first) + " to before " + std::to_string(end) + ", which is nothing or below zero");
      ranges.set(t.text, {first, end - 1});
    } while (accept(","));
  }

  std::int64_t bound() {
    const Token here = peek();
    ir::ExprScope scope;
    scope.variable = [this](const std::string& n) -> Expr {
      const auto it = sizes_.find(n);
      if (it == sizes_.end()) return {};
      used_.insert(n);
      return ir::int_imm(it->second);
    };
    std::size_t end = here.offset;
    auto e = ir::parse_expr_at(text_, end, scope);
    if (!e.ok()) fail(e.reason());
    std::int64_t out = 0;
    if (!ir::is_const_int(ir::simplify(*e), &out)) fail_at(text_, here, "the ends of a range are made of sizes and integers");
    skip_to(end);
    return out;
  }

  /// A tensor that is defined again has the shape it had.
  void again(const StatementHead& head, const Tensor& earlier, Ranges& ranges) const {
    const Exprs& shape = earlier.shape();
    if (shape.size() != head.axes.size()) {
      fail_at(text_, head.output, "'" + head.output.text + "' has " + std::to_string(shape.size()) + " dimensions above, and " + std::to_string(head.axes.size()) + " here");
    }
    for (std::size_t d = 0; d < shape.size(); ++d) {
      const std::int64_t extent = extent_of(shape[d]);
      const Interval* given = ranges.find(head.axes[d]);
      if (given != nullptr && (given->lo != 0 || given->hi != extent - 1)) {
        fail_at(text_, head.output, "index '" + head.axes[d] + "' does not cover dimension " + std::to_string(d) + " of '" + head.output.text +
                                        "'; a tensor is defined whole, and c ? a : b leaves elements as they are");
      }
      ranges.set(head.axes[d], {0, extent - 1});
    }
  }

  std::vector<StatementAxis> axes_of(const StatementHead& head, const Ranges& ranges, bool data) const {
    std::vector<StatementAxis> out;
    for (const std::string& n : data ? head.axes : order_) {
      if (!data && head.has_axis(n)) continue;
      const Interval* r = ranges.find(n);
      if (r == nullptr) {
        fail_at(text_, head.output, "index '" + n + "' of '" + head.output.text + "' has no range; no read that always happens bounds it alone; add: where " + n + " in 0:...");
      }
      if (r->hi < r->lo) fail_at(text_, head.output, "index '" + n + "' of '" + head.output.text + "' has an empty range");
      if (data && r->lo != 0) {
        fail_at(text_, head.output, "index '" + n + "' starts at " + std::to_string(r->lo) + ", and '" + head.output.text + "' is defined from 0; guard the read by " + n + " >= " + std::to_string(r->lo) + " ? ... : ...");
      }
      out.push_back({n, axes_.at(n), r->hi - r->lo + 1});
    }
    return out;
  }

  void check_reads(const StatementHead& head, const Expr& body, const Ranges& ranges) const {
    const ir::Bounds bounds = ranges.bounds();
    detail::for_each_read(body, [&](const ir::Load& l, const Expr& e, const Exprs& conditions) {
      for (std::size_t d = 0; d < l.indices.size(); ++d) {
        const Interval r = detail::range_of_read(l.indices[d], conditions, bounds);
        const std::int64_t extent = extent_of(l.buffer->shape[d]);
        if (r.hi < r.lo) continue;  // never read
        const std::string index = "index " + std::to_string(d) + " of '" + to_string(e) + "' ", last = std::to_string(extent - 1);
        const std::string clamp = "clamp it: max(min(" + to_string(l.indices[d]) + ", " + last + "), 0)";
        if (!r.is_bounded()) fail_at(text_, head.output, index + "has no known range; make it of indices and constants, or " + clamp);
        if (r.lo >= 0 && r.hi < extent) continue;
        fail_at(text_, head.output, index + "runs from " + std::to_string(r.lo) + " to " + std::to_string(r.hi) + ", and '" + l.buffer->name + "' has " + std::to_string(extent) + " there; " +
                                        (detail::is_looked_up(l.indices[d]) ? clamp : "guard the read by c ? a : b, or give a range: where ... in ..."));
      }
    });
  }

  /// Reductions that start above zero count from there.
  Expr shifted(const Expr& body, const Ranges& ranges) const {
    ir::VarMap with;
    for (const auto& [n, v] : axes_) {
      if (const std::int64_t lo = ranges.find(n)->lo; lo != 0) with[v.id()] = Expr(v) + lo;
    }
    return with.empty() ? body : ir::substitute(body, with);
  }

  /// NAME.more, which no tensor of the text is called.
  std::string own_name(const std::string& name, const std::string& more) const {
    std::string out = name + "." + more;
    while (is_tensor(out)) out += "_";
    return out;
  }

  Tensor defined(const StatementHead& head, const std::vector<StatementAxis>& data, const std::vector<StatementAxis>& reduced, const Expr& body, const Tensor& earlier) {
    const std::string& name = head.output.text;
    const int number = ++defined_[name];
    const bool last = number == definitions_[name];
    const std::string stage = last ? name : own_name(name, std::to_string(number));
    if (head.assign == Assign::kSet || head.initialises) return detail::make_statement(stage, data, reduced, head.assign, body);
    Expr added = body;
    Exprs at;
    for (const StatementAxis& a : data) at.emplace_back(a.var);
    if (!reduced.empty()) {
      const Tensor part = detail::make_statement(own_name(stage, "part"), data, reduced, head.assign, body);
      added = part.at(at);
    }
    const Expr old = earlier.at(at);
    const Expr value = head.assign == Assign::kAdd        ? old + added
                       : head.assign == Assign::kMultiply ? old * added
                       : head.assign == Assign::kMax      ? ir::max(old, added)
                                                          : ir::min(old, added);
    return detail::make_statement(stage, data, {}, Assign::kSet, value);
  }

  ComputeDag finish() const {
    std::vector<Tensor> outputs;
    for (const Token& o : outputs_) {
      const auto it = tensors_.find(o.text);
      if (it == tensors_.end()) fail_at(text_, o, "output '" + o.text + "' is not defined");
      outputs.push_back(it->second);
    }
    for (const auto& [n, v] : sizes_) {
      if (used_.count(n) == 0) fail("extent '", n, "' is given, but the definition has no size of that name");
    }
    for (const std::string& n : options_.constants) {
      if (std::find(inputs_.begin(), inputs_.end(), n) == inputs_.end()) fail("constant '", n, "' is no input", nearest_text(n, inputs_));
    }
    ComputeDag dag = ComputeDag::from_outputs(outputs, name_);
    std::set<const void*> reached;
    for (const Tensor& o : outputs) reach(o.buffer(), reached);
    for (const auto& [n, t] : tensors_) {
      if (reached.count(t.buffer()->origin.get()) == 0) fail_at(text_, named_.at(n), "'" + n + "' has no part in any output; leave it out");
    }
    return dag;
  }

  /// What the elements of a tensor are computed from.
  static void reach(const Buffer& b, std::set<const void*>& reached) {
    if (!reached.insert(b->origin.get()).second) return;
    for (const Expr& body : Tensor(b).operation().body) {
      ir::walk(body, [&](const Expr& e) {
        if (const auto* l = e.as<ir::Load>()) reach(Buffer(l->buffer), reached);
        return true;
      });
    }
  }

  std::string text_;
  const std::map<std::string, std::int64_t>& sizes_;
  const DefinitionOptions& options_;
  std::vector<Token> tokens_;
  std::size_t at_ = 0;
  std::string name_;
  std::vector<std::string> inputs_;
  std::vector<Token> outputs_;
  std::map<std::string, Token> named_;     // where each tensor was named last
  std::map<std::string, Tensor> tensors_;  // inputs, and what is defined so far, by the names of the text
  std::map<std::string, int> definitions_, defined_;
  std::set<std::string> used_;  // sizes
  bool wide_ = false;           // whether an input is f64: literals are, too
  std::map<std::string, Var> axes_;  // of the statement
  std::vector<std::string> order_;   // in order of first use
};

}  // namespace

Result<ComputeDag> parse_definition(std::string_view text, std::string_view extents, const DefinitionOptions& options) {
  const auto list = parse_extents(extents);
  if (!list.ok()) return refuse("extents: ", list.reason());
  try {
    return Definition(text, *list, options).build();
  } catch (const detail::WrongText& w) {
    return refuse("definition: ", w.reason);
  } catch (const UserError& e) {
    return refuse("definition: ", e.what());
  }
}

}  // namespace tessera::dsl
