// The printer: expressions in ir/print.cpp, statements and programs in ir/print_stmt.cpp.
#pragma once

#include <ostream>
#include <string>

#include "ir/print.h"

namespace tessera::ir::detail {

class Printer {
 public:
  Printer(std::ostream& os, Names& names) : os_(os), names_(names) {}

  void expr(const Expr& e, int level = 0);
  /// `last`: nothing follows in the enclosing block, so what an alloc or let covers needs no
  /// braces.
  void stmt(const Stmt& s, int in, bool last = true);
  void program(const Program& p);

 private:
  // Of expressions.
  void list(const Exprs& es);
  void call(const std::string& name, const Exprs& args);
  void access(const BufferNode* b, const Exprs& indices);
  void binary(const Binary& n, int level);
  void int_imm(const IntImm& n);
  void float_imm(const FloatImm& n);
  void cast(const Cast& n);
  void shuffle(const Shuffle& n);
  void let(const Let& n);
  void load(const Load& n);
  void axes(const Reduce& n);
  void reduce(const Reduce& n);

  // Of statements.
  std::ostream& pad(int n);
  void block(const Block& n, int in);
  void rest(const Stmt& s, int in, bool last);
  void body(const Stmt& s, int in);
  void loop(const For& n, int in);
  void declare(const Buffer& b);
  void region(const Region& r);

  std::ostream& os_;
  Names& names_;
};

/// "sum", "prod", ...: the word of a reduction.
const char* reduce_word(ReduceOp op);

}  // namespace tessera::ir::detail
