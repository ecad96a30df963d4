// Statements and programs on top of ExprParser.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "ir/detail/parser.h"
#include "ir/print.h"
#include "ir/rewrite.h"

namespace tessera::ir::detail {

class ProgramParser {
 public:
  ProgramParser(std::string_view text, std::vector<Token> tokens);
  Program program();
  Layout whole_layout(const std::vector<std::int64_t>& shape);

 private:
  // parse_program.cpp
  Function function();
  Buffer declaration();
  Layout layout(const std::vector<std::int64_t>& shape);
  Var variable(const std::string& name, Type t);
  Buffer buffer();
  std::vector<Buffer> buffer_list(const char* end);
  std::vector<std::string> names() const;
  static Result<Expr> load(const Buffer& b, const Exprs& indices);
  /// Takes the next word when it is, on the same line, the text of one of `values`.
  template <class E, std::size_t N>
  bool one_of(E& out, const E (&values)[N]) {
    for (const E v : values) {
      if (p_.same_line() && p_.accept_word(to_string(v))) return out = v, true;
    }
    return false;
  }

  // parse_stmt.cpp
  Stmt body();
  /// Up to the '}' that closes the body, which is taken too.
  Stmt statements();
  Stmt statement();
  Stmt simple(const Token& at);
  Stmt loop();
  Stmt branch();
  Stmt store(const Token& at, bool streaming = false);
  Stmt prefetch();
  Stmt atomic();
  Region region();
  Expr extent_of(const Expr& lo, const Expr& hi);
  Expr condition();

  ExprScope scope_;
  ExprParser p_;
  std::map<std::string, Var> vars_;
  std::map<std::string, Buffer> buffers_;
  bool in_shape_ = false;  // an unknown name in the shape of a buffer is a shape variable
  int depth_ = 0;          // open braces
  int height_ = 0;  // of the statement parsed last; chains of let and alloc nest without braces
};

}  // namespace tessera::ir::detail
