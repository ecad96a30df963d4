// Text of expressions, statements and programs: readable, and ir/parse.h reads back what is printed
// (docs/reference/ir.md has the grammar).
#pragma once

#include <iosfwd>
#include <map>
#include <string>

#include "ir/program.h"

namespace tessera::ir {

/// Gives every variable and buffer one name; equal hints are numbered in order of appearance.
class Names {
 public:
  std::string of(const VarNode* v);
  std::string of(const BufferNode* b);
  /// Keeps `name` from being given to anything else.
  void reserve(const std::string& name) { used_[name]; }

 private:
  std::string unique(const std::string& hint);
  std::map<VarId, std::string> vars_;
  std::map<std::uint64_t, std::string> buffers_;
  std::map<std::string, int> used_;
};

std::string to_string(const Expr& e);
std::string to_string(const Stmt& s);
std::string to_string(const Program& p);
/// With names shared between several calls.
std::string to_string(const Expr& e, Names& names);
std::string to_string(const Stmt& s, Names& names, int indent = 0);

std::ostream& operator<<(std::ostream& os, const Expr& e);
std::ostream& operator<<(std::ostream& os, const Stmt& s);
std::ostream& operator<<(std::ostream& os, const Program& p);

/// Shortest decimal that reads back to the same double; "inf", "-inf", "nan".
std::string float_text(double v);

}  // namespace tessera::ir
