// Reads back what ir/print.h prints, and the expression text of logs and of the command line.
//
//   auto p = parse_program(to_string(program));                      // equal up to names
//   auto e = parse_expr("A[i, k] * 2 + max(B[i], 0)", scope);
//
// Any input gives a value or a refusal of one line with the spot marked: text comes from logs that
// nobody vouches for. Expressions nest at most 200 deep, operator chains included.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "ir/program.h"

namespace tessera::ir {

/// What the names in an expression mean. An absent function knows no names.
struct ExprScope {
  /// An undefined Expr for a name that is not a variable.
  std::function<Expr(const std::string& name)> variable;
  /// A read of `buffer`; the refusal says what is wrong with the name or the indices.
  std::function<Result<Expr>(const std::string& buffer, const Exprs& indices)> read;
  /// The axis of a reduction: sum(e, k), reduce([x y], [..], [..], [..], k)[0].
  std::function<std::optional<ReduceAxis>(const std::string& name)> axis;
  /// The variable of `let name: type = ...`; a fresh one when absent.
  std::function<Var(const std::string& name, Type type)> bind;
  /// Names to offer when one is not known.
  std::function<std::vector<std::string>()> names;
  /// Whether a call of that name is a read, A(m, k) for A[m, k], and the name alone one without indices. Absent: none is.
  std::function<bool(const std::string& name)> tensor;
  /// Types by other names than the IR's: int32(x) for i32(x). Absent: none.
  std::function<std::optional<Type>(const std::string& name)> type;
  /// What a literal with a point is until it meets another type; f64 keeps all digits.
  Type real = f32;
};

/// The grammar of ir/print.h, and also: a > b, a >= b, unary minus, cast(f32, x), c ? a : b for
/// if_then_else(c, a, b), and fmin, fmax, fabs. Literals take the type of what they meet, as the
/// operators of ir/expr.h do.
Result<Expr> parse_expr(std::string_view text, const ExprScope& scope);
/// The expression that starts at byte `at` of `text`, as long as it goes on; `at` becomes where it ends.
Result<Expr> parse_expr_at(std::string_view text, std::size_t& at, const ExprScope& scope);

Result<Program> parse_program(std::string_view text);

/// The text of Layout::to_string for a layout over `shape`.
Result<Layout> parse_layout(std::string_view text, const std::vector<std::int64_t>& shape);

}  // namespace tessera::ir
