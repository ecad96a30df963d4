// Index expressions and conditions of the IR as affine functions and integer sets over chosen variables.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "ir/analysis/affine.h"
#include "ir/buffer.h"
#include "polyhedral/detail/isl.h"

namespace tessera::polyhedral::detail {

/// An expression that is no affine function with floors of the dimensions. Never leaves this folder.
struct NotAffine {
  std::string what;
};

/// The points [x0, x1, ...] that variables of the IR span. Integers that are read from memory have a
/// dimension of their own once `add_data` has named them: any value may stand there.
class Space {
 public:
  explicit Space(isl::ctx ctx) : ctx_(ctx.get()) {}

  isl::ctx ctx() const { return isl::ctx(ctx_); }
  /// `range` holds every value that the variable takes.
  int add_variable(const ir::Var& v, ir::Interval range = {});
  /// The dimension of what this read gives; equal reads share one.
  int add_data(const ir::Expr& load);
  /// Another expression whose value is that of dimension `d`.
  void alias_data(const ir::Expr& load, int d) { data_.push_back({load, d}); }
  std::optional<int> find_data(const ir::Expr& load) const;
  int size() const { return static_cast<int>(names_.size()); }
  const std::string& name(int d) const { return names_[static_cast<std::size_t>(d)]; }

  isl::set universe() const;
  isl::aff dimension(int d) const;
  isl::pw_aff constant(std::int64_t v) const;

  // The rest throw NotAffine, naming the subexpression.

  isl::pw_aff value(const ir::Expr& e) const;
  /// Where a condition holds. Minima and the like become conjunctions rather than pieces where that is exact.
  isl::set where(const ir::Expr& condition) const;
  /// Where `lo <= e < hi`.
  isl::set within(const ir::Expr& e, const ir::Expr& lo, const ir::Expr& hi) const;
  isl::multi_pw_aff values(const ir::Exprs& es) const;

 private:
  isl::pw_aff sum_value(const ir::AffineSum& s) const;
  isl::pw_aff atom_value(const ir::Expr& e) const;
  std::optional<std::pair<ir::AffineSum, ir::AffineSum>> quotient(const ir::Expr& e, std::int64_t divisor) const;
  isl::pw_aff choice(const ir::Expr& condition, const ir::Expr& yes, const ir::Expr& no) const;
  isl::set non_negative(ir::AffineSum s) const;

  isl_ctx* ctx_;
  std::vector<std::string> names_;
  std::map<ir::VarId, int> variables_;
  ir::Bounds ranges_;
  std::vector<std::pair<ir::Expr, int>> data_;
};

/// All reads of integers that occur in indices and conditions of `e`, outermost first.
std::vector<ir::Expr> integer_reads(const ir::Expr& e);
bool has_reads(const ir::Expr& e);

}  // namespace tessera::polyhedral::detail
