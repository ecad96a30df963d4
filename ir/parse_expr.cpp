// Tokens, operators and names of expressions; the functions are in parse_call.cpp and
// parse_reduce.cpp.
#include <algorithm>
#include <charconv>
#include <limits>

#include "ir/detail/parser.h"
#include "ir/print.h"
#include "support/nearest.h"

namespace tessera::ir {

namespace detail {

namespace {

std::string describe(const Token& t) {
  switch (t.kind) {
    case Token::Kind::kEnd:
      return "the end of the text";
    case Token::Kind::kString:
      return "a string";
    default:
      return "'" + t.text.substr(0, 40) + "'";
  }
}

struct Operator {
  const char* symbol;
  int level;
  ExprKind kind;
  bool swapped = false;
};

// The levels of ir/print.cpp.
constexpr Operator kOperators[] = {
    {"||", 1, ExprKind::kOr},       {"&&", 2, ExprKind::kAnd},      {"==", 3, ExprKind::kEQ},
    {"!=", 3, ExprKind::kNE},       {"<", 3, ExprKind::kLT},        {"<=", 3, ExprKind::kLE},
    {">", 3, ExprKind::kLT, true},  {">=", 3, ExprKind::kLE, true}, {"+", 4, ExprKind::kAdd},
    {"-", 4, ExprKind::kSub},       {"*", 5, ExprKind::kMul},       {"/", 5, ExprKind::kDiv},
    {"//", 5, ExprKind::kFloorDiv}, {"%", 5, ExprKind::kFloorMod}};
constexpr int kComparison = 3, kTightest = 5;

const Operator* find_operator(const Token& t, int level) {
  if (t.kind != Token::Kind::kSymbol) return nullptr;
  for (const Operator& o : kOperators) {
    if (o.level == level && t.text == o.symbol) return &o;
  }
  return nullptr;
}

}  // namespace

struct ExprParser::Nest {
  explicit Nest(ExprParser& p) : parser(p) {
    if (++parser.depth_ > kMaxDepth)
      parser.fail("the expression nests more than " + std::to_string(kMaxDepth) + " deep");
  }
  ~Nest() { --parser.depth_; }
  ExprParser& parser;
};

const Token& ExprParser::take() {
  const Token& t = tokens_[at_];
  if (at_ + 1 < tokens_.size()) ++at_;
  return t;
}

bool ExprParser::is(const char* symbol, std::size_t ahead) const {
  return peek(ahead).kind == Token::Kind::kSymbol && peek(ahead).text == symbol;
}

bool ExprParser::is_word(const char* word, std::size_t ahead) const {
  return peek(ahead).kind == Token::Kind::kWord && peek(ahead).text == word;
}

bool ExprParser::accept(const char* symbol) { return is(symbol) && (take(), true); }
bool ExprParser::accept_word(const char* word) { return is_word(word) && (take(), true); }

void ExprParser::expect(const char* symbol) {
  if (!accept(symbol)) expected(std::string("'") + symbol + "'");
}

std::string ExprParser::word(const char* what) {
  if (peek().kind != Token::Kind::kWord) expected(what);
  return take().text;
}

std::string ExprParser::name(const char* what) {
  return peek().kind == Token::Kind::kString ? take().text : word(what);
}

std::int64_t ExprParser::integer(const char* what, std::int64_t lo, std::int64_t hi) {
  const Token at = peek();
  const bool negative = accept("-");
  if (peek().kind != Token::Kind::kInteger) expected(what);
  const std::uint64_t size = take().integer;
  const std::uint64_t limit = static_cast<std::uint64_t>(INT64_MAX) + (negative ? 1 : 0);
  const auto v = static_cast<std::int64_t>(negative ? -size : size);
  if (size > limit || v < lo || v > hi) {
    fail_at(at, std::string(what) + " must lie in [" + std::to_string(lo) + ", " +
                    std::to_string(hi) + "]");
  }
  return v;
}

Type ExprParser::type() {
  const Token at = peek();
  auto t = parse_type(word("a dtype"));
  if (!t.ok()) fail_at(at, t.reason());
  return *t;
}

void ExprParser::fail_at(const Token& t, const std::string& what) const {
  throw ParseFailure{
      located(text_, t.offset,
              std::max<std::size_t>(t.text.size(), t.kind == Token::Kind::kEnd ? 0 : 1), what)};
}

void ExprParser::expected(const std::string& what) const {
  fail("expected " + what + ", found " + describe(peek()));
}

Exprs ExprParser::list(const char* close) {
  Exprs out;
  int highest = 0;
  if (!accept(close)) {
    do {
      out.push_back(expr());
      highest = std::max(highest, height_);
    } while (accept(","));
    if (!accept(close)) expected(std::string("',' or '") + close + "'");
  }
  height_ = highest;
  return out;
}

Expr ExprParser::expr() {
  const Expr condition = binary(1);
  const Token at = peek();
  if (!accept("?")) return condition;
  Nest nest(*this);
  int highest = height_;
  const Expr yes = expr();
  highest = std::max(highest, height_);
  expect(":");
  const Expr no = expr();
  height_ = std::max(highest, height_);
  return build(at, [&] { return if_then_else(condition, yes, no); });
}

Expr ExprParser::binary(int level) {
  if (level > kTightest) return unary();
  Expr left = binary(level + 1);
  bool compared = false;
  for (const Operator* o = nullptr; (o = find_operator(peek(), level)) != nullptr;) {
    const Token at = take();
    if (compared) fail_at(at, "comparisons do not chain; join two of them with &&");
    compared = level == kComparison;
    const int left_height = height_;
    const Expr right = binary(level + 1);
    height_ = std::max(height_, left_height);
    left = build(at, [&] {
      return o->swapped ? make_binary(o->kind, right, left) : make_binary(o->kind, left, right);
    });
  }
  return left;
}

Expr ExprParser::unary() {
  Nest nest(*this);
  const Token at = peek();
  if (accept("!")) {
    const Expr x = unary();
    return build(at, [&] { return !x; });
  }
  if (accept("-")) {
    if (peek().kind == Token::Kind::kInteger || peek().kind == Token::Kind::kFloat)
      return number(true);
    const Expr x = unary();
    return build(at, [&] { return -x; });
  }
  return primary();
}

Expr ExprParser::number(bool negative) {
  height_ = 1;
  if (peek().kind == Token::Kind::kFloat) {
    const Token t = take();
    if (scope_->real == f64) return float_imm(negative ? -t.real : t.real, f64);
    // As f32 at once: a decimal that went through f64 could be rounded twice.
    float v = 0;
    const auto [end, err] = std::from_chars(t.text.data(), t.text.data() + t.text.size(), v);
    const double value = err == std::errc() ? static_cast<double>(v) : t.real;
    return Expr(negative ? -value : value);
  }
  const Token at = peek();
  const std::uint64_t size = take().integer;
  if (size > static_cast<std::uint64_t>(INT64_MAX) + (negative ? 1 : 0))
    fail_at(at, "this integer needs more than 64 bits");
  return int_imm(static_cast<std::int64_t>(negative ? -size : size));
}

Expr ExprParser::primary() {
  const Token at = peek();
  switch (at.kind) {
    case Token::Kind::kInteger:
    case Token::Kind::kFloat:
      return number(false);
    case Token::Kind::kWord:
      break;
    default: {
      if (!accept("(")) expected("an expression");
      if (is_word("let") && peek(1).kind == Token::Kind::kWord && is(":", 2)) return let();
      Expr e = expr();
      expect(")");
      return e;
    }
  }
  take();
  const bool tensor = scope_->tensor && scope_->tensor(at.text);
  if (is("(") && same_line() && !tensor) return function(at);
  if ((is("[") || (is("(") && tensor)) && same_line()) return access(at, list(take().text == "(" ? ")" : "]"));
  height_ = 1;
  if (tensor) return access(at, {});
  if (at.text == "true" || at.text == "false") return bool_imm(at.text == "true");
  Expr v = scope_->variable ? scope_->variable(at.text) : Expr();
  if (v.defined()) return v;
  const std::string near =
      joined(nearest_names(at.text, scope_->names ? scope_->names() : std::vector<std::string>{}));
  fail_at(at, "unknown name '" + at.text.substr(0, 40) + "'" +
                  (near.empty() ? "" : "; near it: " + near));
}

Expr ExprParser::access(const Token& name, const Exprs& indices) {
  if (!scope_->read) fail_at(name, "no buffer can be read here");
  return build(name, [&]() -> Expr {
    auto e = scope_->read(name.text, indices);
    if (!e.ok()) fail_at(name, e.reason());
    return *e;
  });
}

}  // namespace detail

namespace {

Result<Expr> parse_from(std::string_view text, std::size_t& at, const ExprScope& scope, bool whole) {
  TESSERA_TRY(tokens, lex(text));
  detail::ExprParser p(text, std::move(tokens), scope);
  p.skip_to(at);
  try {
    Expr e = p.expr();
    if (whole && !p.at_end()) p.expected("an operator or the end");
    at = p.peek().offset;
    return e;
  } catch (const detail::ParseFailure& f) {
    return Refusal{f.message};
  } catch (const UserError& e) {  // from a function of the scope
    return Refusal{e.what()};
  }
}

}  // namespace

Result<Expr> parse_expr(std::string_view text, const ExprScope& scope) {
  std::size_t at = 0;
  return parse_from(text, at, scope, true);
}

Result<Expr> parse_expr_at(std::string_view text, std::size_t& at, const ExprScope& scope) { return parse_from(text, at, scope, false); }

}  // namespace tessera::ir
