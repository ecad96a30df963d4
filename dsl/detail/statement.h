// What one-line statements and whole definitions share (dsl/text.h): OUT[axes] OP, the reads of an expression
// under the conditions around them, and the tensor that a statement makes.
#pragma once

#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "dsl/tensor.h"
#include "ir/analysis/interval.h"
#include "ir/lexer.h"

namespace tessera::dsl::detail {

inline constexpr std::size_t kMaxStatement = 16 << 10;
inline constexpr std::size_t kMaxRank = 8;

/// Unwinds to the entry point, which returns it as a refusal.
struct WrongText {
  std::string reason;
};

template <class... Parts>
[[noreturn]] void fail(const Parts&... parts) {
  throw WrongText{refuse(parts...).reason};
}
[[noreturn]] void fail_at(std::string_view text, const ir::Token& t, const std::string& what);

enum class Assign : std::uint8_t { kSet, kAdd, kMultiply, kMax, kMin };

/// What stands in front of the expression.
struct StatementHead {
  ir::Token output;
  std::vector<std::string> axes;
  Assign assign = Assign::kSet;
  bool initialises = false;  // OP with a `!`
  std::size_t end = 0;       // the byte where the expression starts

  bool has_axis(const std::string& name) const;
};

/// Reads OUT[axes] OP or OUT(axes) OP from tokens[i] on; `i` becomes the first token of the expression.
StatementHead read_head(std::string_view text, const std::vector<ir::Token>& tokens, std::size_t& i);

/// Calls `visit` for every read of `body` with the conditions under which it happens.
using ReadVisitor = std::function<void(const ir::Load& load, const Expr& e, const Exprs& conditions)>;
void for_each_read(const Expr& body, const ReadVisitor& visit);

/// What `index` may be where the conditions hold.
ir::Interval range_of_read(const Expr& index, const Exprs& conditions, const ir::Bounds& bounds);
/// Whether a read of another tensor decides it.
bool is_looked_up(const Expr& index);

/// An index of a statement: 0 <= var < extent.
struct StatementAxis {
  std::string name;
  Var var;
  std::int64_t extent = 0;
};

/// The tensor of a statement: `body` over `data`, reduced over `reduced` as `assign` says.
Tensor make_statement(const std::string& name, const std::vector<StatementAxis>& data, const std::vector<StatementAxis>& reduced, Assign assign,
                      const Expr& body);

}  // namespace tessera::dsl::detail
