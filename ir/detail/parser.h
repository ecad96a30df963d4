// The parser's two halves: ExprParser reads expressions, ir/parse_program.cpp builds on it.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "ir/lexer.h"
#include "ir/parse.h"

namespace tessera::ir::detail {

/// Unwinds to the entry point, which returns it as a refusal. Never leaves ir/parse*.cpp.
struct ParseFailure {
  std::string message;
};

inline constexpr int kMaxDepth = 200;
inline constexpr int kMaxLanes = 4096;

class ExprParser {
 public:
  ExprParser(std::string_view text, std::vector<Token> tokens, const ExprScope& scope)
      : text_(text), tokens_(std::move(tokens)), scope_(&scope) {}

  Expr expr();
  /// Without comparisons and logic: what stands in a range or a region.
  Expr sum() { return binary(4); }
  /// `[a, b]` without its brackets, up to `close`, which is taken too.
  Exprs list(const char* close);

  const Token& peek(std::size_t ahead = 0) const {
    return tokens_[std::min(at_ + ahead, tokens_.size() - 1)];
  }
  /// Passes over the tokens before byte `offset` of the text.
  void skip_to(std::size_t offset) {
    while (!at_end() && peek().offset < offset) ++at_;
  }
  const Token& take();
  bool is(const char* symbol, std::size_t ahead = 0) const;
  bool is_word(const char* word, std::size_t ahead = 0) const;
  bool at_end() const { return peek().kind == Token::Kind::kEnd; }
  /// The next token continues the line of the one before it.
  bool same_line() const { return at_ > 0 && peek().line == tokens_[at_ - 1].line; }
  bool accept(const char* symbol);
  bool accept_word(const char* word);
  void expect(const char* symbol);
  std::string word(const char* what);
  /// A word or a quoted string.
  std::string name(const char* what);
  std::int64_t integer(const char* what, std::int64_t lo, std::int64_t hi);
  Type type();
  [[noreturn]] void fail(const std::string& what) const { fail_at(peek(), what); }
  [[noreturn]] void fail_at(const Token& t, const std::string& what) const;
  /// "expected <what>, found <token>".
  [[noreturn]] void expected(const std::string& what) const;

 private:
  struct Nest;  // counts the depth of the recursion

  Expr binary(int level);
  Expr unary();
  Expr primary();
  Expr number(bool negative);
  Expr access(const Token& name, const Exprs& indices);
  Expr let();
  Expr function(const Token& name);
  bool structural(const Token& name, Expr& out);
  bool conversion(const Token& name, Expr& out);
  bool reduction(const Token& name, Expr& out);
  Expr literal_of(Type t, const Token& at);
  Expr custom_reduction();
  Expr builtin_reduction(ReduceOp op, const Token& name);
  Expr shuffle();
  Expr masked();
  ReduceAxis axis();
  bool axes_follow() const;
  int lanes();
  /// The scalar argument of a vector constructor.
  Expr scalar(const char* what);
  Exprs arguments(const Token& name, std::size_t count);
  void skip_brackets();

  /// Runs a constructor of ir/expr.h; what it throws becomes a refusal at `at`.
  template <class F>
  Expr build(const Token& at, F f) {
    try {
      Expr e = f();
      grow(1);
      return e;
    } catch (const UserError& error) {
      fail_at(at, std::string(error.what()).substr(0, 400));
    }
  }
  /// `height_` is the height of the tree parsed last; chains of operators nest without recursion.
  void grow(int by) {
    height_ += by;
    if (height_ > kMaxDepth)
      fail("the expression nests more than " + std::to_string(kMaxDepth) + " deep");
  }

  std::string_view text_;
  std::vector<Token> tokens_;
  const ExprScope* scope_;
  std::size_t at_ = 0;
  int depth_ = 0;
  int height_ = 0;
  bool in_reduction_ = false;
};

/// "sum", "prod", "min", "max", "any", "all".
bool reduce_op(const std::string& word, ReduceOp& out);

}  // namespace tessera::ir::detail
