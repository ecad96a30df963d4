// The parts of check_well_formed below the statement.
#pragma once

#include <set>
#include <sstream>
#include <string>

#include "ir/program.h"

namespace tessera::ir::detail {

/// What is wrong and, once known, in which statement. Never leaves check_well_formed.
struct Broken {
  std::string why;
  std::string statement;
};

template <class... Parts>
void require(bool holds, const Parts&... parts) {
  if (holds) return;
  std::ostringstream out;
  (out << ... << parts);
  throw Broken{out.str(), {}};
}

class ExprChecker {
 public:
  ExprChecker(bool flat, bool bound_once, std::set<VarId>& bound)
      : flat_(flat), bound_once_(bound_once), ever_bound_(bound) {}

  std::set<std::uint64_t> buffers;  // ids of those in scope

  /// Keeps a variable in scope while it lives.
  class Binding {
   public:
    Binding(std::set<VarId>& scope, VarId id) : scope_(&scope), id_(id) {}
    Binding(const Binding&) = delete;
    Binding& operator=(const Binding&) = delete;
    ~Binding() { scope_->erase(id_); }

   private:
    std::set<VarId>* scope_;
    VarId id_;
  };
  [[nodiscard]] Binding bind_scoped(const Var& v) {
    parameter(v);
    return {vars_, v.id()};
  }
  /// In scope from here on.
  void parameter(const Var& v);

  void expr(const Expr& e);
  /// Checks the buffer and its indices; the lanes of the access.
  int access(const Buffer& b, const Exprs& indices);
  /// `p` may be absent.
  void predicate(const Expr& p, int lanes);
  void declared(const Buffer& b) const;
  /// How many indices an access takes.
  std::size_t indices_of(const Buffer& b) const { return flat_ ? 1 : b.rank(); }

 private:
  void binary(const Binary& n);
  void choice(const Expr& condition, const Expr& yes, const Expr& no, bool scalar_condition);

  bool flat_, bound_once_;
  std::set<VarId> vars_;  // in scope
  std::set<VarId>& ever_bound_;
};

void check_buffer(const Buffer& b);
/// Number, dtype and shape of what is passed for the parameters of `f`.
void check_arguments(const Function& f, const std::vector<Buffer>& arguments);
/// A buffer of the program that is stored into.
void check_written(const ProgramBuffer& b, bool preparing);

}  // namespace tessera::ir::detail
