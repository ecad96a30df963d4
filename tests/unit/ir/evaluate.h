// An evaluator of integer expressions, written apart from the library's own.
#pragma once

#include <map>
#include <optional>
#include <vector>

#include "ir/expr.h"

namespace tessera::ir::testing {

using Point = std::map<VarId, std::int64_t>;

/// The value at a point; nothing when an operation is undefined there.
inline std::optional<std::int64_t> evaluate(const Expr& e, const Point& at) {
  if (const auto* n = e.as<IntImm>()) return n->value;
  if (const auto* n = e.as<VarNode>()) return at.at(n->id);
  if (const auto* n = e.as<Not>()) {
    const auto a = evaluate(n->a, at);
    return a ? std::optional<std::int64_t>(!*a) : std::nullopt;
  }
  const auto choose = [&](const Expr& c, const Expr& yes, const Expr& no) {
    const auto v = evaluate(c, at);
    return v ? evaluate(*v ? yes : no, at) : std::nullopt;
  };
  if (const auto* n = e.as<Select>()) return choose(n->condition, n->yes, n->no);
  if (const auto* n = e.as<IfThenElseExpr>()) return choose(n->condition, n->yes, n->no);
  const Binary* n = as_binary(e);
  if (n == nullptr) return std::nullopt;
  const auto x = evaluate(n->a, at), y = evaluate(n->b, at);
  if (!x || !y) return std::nullopt;
  const std::int64_t a = *x, b = *y;
  // Counting steps instead of rounding a quotient.
  const auto floor_of = [](std::int64_t p, std::int64_t q) {
    std::int64_t r = p % q;
    if (r != 0 && ((r < 0) != (q < 0))) r += q;
    return std::pair{(p - r) / q, r};
  };
  switch (n->kind) {
    case ExprKind::kAdd:
      return a + b;
    case ExprKind::kSub:
      return a - b;
    case ExprKind::kMul:
      return a * b;
    case ExprKind::kDiv:
      return b == 0 ? std::nullopt : std::optional(a / b);
    case ExprKind::kMod:
      return b == 0 ? std::nullopt : std::optional(a % b);
    case ExprKind::kFloorDiv:
      return b == 0 ? std::nullopt : std::optional(floor_of(a, b).first);
    case ExprKind::kFloorMod:
      return b == 0 ? std::nullopt : std::optional(floor_of(a, b).second);
    case ExprKind::kMin:
      return a < b ? a : b;
    case ExprKind::kMax:
      return a < b ? b : a;
    case ExprKind::kEQ:
      return a == b;
    case ExprKind::kNE:
      return a != b;
    case ExprKind::kLT:
      return a < b;
    case ExprKind::kLE:
      return a <= b;
    case ExprKind::kAnd:
      return a && b;
    case ExprKind::kOr:
      return a || b;
    case ExprKind::kBitAnd:
      return a & b;
    case ExprKind::kBitOr:
      return a | b;
    case ExprKind::kBitXor:
      return a ^ b;
    case ExprKind::kShiftLeft:
      return b < 0 || b > 62 ? std::nullopt : std::optional(a * (std::int64_t{1} << b));
    case ExprKind::kShiftRight:
      return b < 0 || b > 62 ? std::nullopt : std::optional(a >> b);
    default:
      return std::nullopt;
  }
}

struct Range {
  Var var;
  std::int64_t lo, hi;
};

/// Calls f on every point of the box.
template <class F>
void for_each_point(const std::vector<Range>& box, F f, std::size_t from = 0, Point at = {}) {
  if (from == box.size()) return f(at);
  for (std::int64_t v = box[from].lo; v <= box[from].hi; ++v) {
    at[box[from].var.id()] = v;
    for_each_point(box, f, from + 1, at);
  }
}

}  // namespace tessera::ir::testing
