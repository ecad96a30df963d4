// Reductions: sum(e, k), min(e, k, l), reduce([x y], [..], [..], [..], k)[0].
#include <map>
#include <set>
#include <utility>

#include "ir/detail/parser.h"

namespace tessera::ir::detail {

namespace {

constexpr std::pair<const char*, ReduceOp> kReductions[] = {
    {"sum", ReduceOp::kSum}, {"prod", ReduceOp::kProd}, {"min", ReduceOp::kMin},
    {"max", ReduceOp::kMax}, {"any", ReduceOp::kAny},   {"all", ReduceOp::kAll}};

std::vector<ReduceAxis> distinct(std::vector<ReduceAxis> axes, bool& repeated) {
  std::set<VarId> seen;
  for (const ReduceAxis& a : axes) repeated |= !seen.insert(a.var.id()).second;
  return axes;
}

}  // namespace

bool reduce_op(const std::string& word, ReduceOp& out) {
  for (const auto& [name, op] : kReductions) {
    if (word == name) return out = op, true;
  }
  return false;
}

bool ExprParser::reduction(const Token& name, Expr& out) {
  if (name.text == "reduce") {
    out = custom_reduction();
    return true;
  }
  ReduceOp op = ReduceOp::kSum;
  if (!reduce_op(name.text, op)) return false;
  // min(x, k) is a reduction where k is an axis, except inside another one: reductions do not nest,
  // and outside of all of them an axis has no value.
  const bool either = op == ReduceOp::kMin || op == ReduceOp::kMax;
  if (either && (in_reduction_ || !axes_follow())) return false;
  out = builtin_reduction(op, name);
  return true;
}

bool ExprParser::axes_follow() const {
  if (!scope_->axis) return false;
  int open = 0;
  std::size_t i = 0;
  for (;; ++i) {
    const Token& t = peek(i);
    if (t.kind == Token::Kind::kEnd) return false;
    if (t.kind != Token::Kind::kSymbol) continue;
    if (t.text == "(" || t.text == "[") ++open;
    if ((t.text == ")" || t.text == "]") && --open < 0) return false;
    if (t.text == "," && open == 0) break;
  }
  for (; is(",", i); i += 2) {
    if (peek(i + 1).kind != Token::Kind::kWord || !scope_->axis(peek(i + 1).text)) return false;
  }
  return is(")", i);
}

ReduceAxis ExprParser::axis() {
  const Token at = peek();
  const std::string name = word("a reduction axis");
  const auto a = scope_->axis ? scope_->axis(name) : std::nullopt;
  if (!a) fail_at(at, "'" + name.substr(0, 40) + "' is not a reduction axis here");
  return *a;
}

Expr ExprParser::builtin_reduction(ReduceOp op, const Token& name) {
  if (in_reduction_) fail_at(name, "reductions do not nest; make the inner one a stage of its own");
  in_reduction_ = true;
  const Expr source = expr();
  in_reduction_ = false;
  const int source_height = height_;
  std::vector<ReduceAxis> axes;
  while (accept(",")) axes.push_back(axis());
  expect(")");
  bool repeated = false;
  axes = distinct(std::move(axes), repeated);
  if (axes.empty())
    fail_at(name, name.text + " needs an axis, for example " + name.text + "(e, k)");
  if (repeated) fail_at(name, "an axis stands twice in " + name.text);
  if (!source.type().is_scalar())
    fail_at(name, name.text + " of a vector; reductions are over scalars");
  height_ = source_height;
  return build(name, [&] {
    return make<Reduce>(make_combiner(op, source.type()), Exprs{source}, std::move(axes), 0);
  });
}

void ExprParser::skip_brackets() {
  expect("[");
  for (int open = 1; open > 0; take()) {
    if (at_end()) expected("']'");
    open += is("[") ? 1 : is("]") ? -1 : 0;
  }
}

/// reduce([x y, a b], [result...], [identity...], [sources...], k)[0]. The types of x, y are those
/// of the sources, so these are read first.
Expr ExprParser::custom_reduction() {
  const Token at = peek();
  if (in_reduction_) fail_at(at, "reductions do not nest; make the inner one a stage of its own");
  auto* combiner = new CombinerNode;
  const Combiner keep(combiner);
  std::vector<std::pair<std::string, std::string>> names;
  expect("[");
  do {
    std::string x = word("a name"), y = word("a name");
    if (x == y) fail("the two names of a value must differ");
    names.emplace_back(std::move(x), std::move(y));
  } while (accept(","));
  expect("]");
  expect(",");
  const std::size_t result_at = at_;
  skip_brackets();
  expect(",");
  skip_brackets();
  expect(",");
  expect("[");
  in_reduction_ = true;
  Exprs sources = list("]");
  in_reduction_ = false;
  int highest = height_;
  if (sources.size() != names.size())
    fail_at(at, "reduce names " + std::to_string(names.size()) + " values and has " +
                    std::to_string(sources.size()) + " sources");
  std::vector<ReduceAxis> axes;
  while (accept(",")) axes.push_back(axis());
  bool repeated = false;
  axes = distinct(std::move(axes), repeated);
  if (axes.empty() || repeated) fail_at(at, "reduce needs axes, each once");
  expect(")");
  expect("[");
  const auto index = static_cast<int>(
      integer("the index of a value", 0, static_cast<std::int64_t>(sources.size()) - 1));
  expect("]");
  const std::size_t end = at_;

  std::map<std::string, Var> inner;
  for (std::size_t i = 0; i < names.size(); ++i) {
    if (!sources[i].type().is_scalar()) fail_at(at, "reductions are over scalars");
    combiner->lhs.push_back(Var::fresh(names[i].first, sources[i].type()));
    combiner->rhs.push_back(Var::fresh(names[i].second, sources[i].type()));
    if (!inner.emplace(names[i].first, combiner->lhs[i]).second ||
        !inner.emplace(names[i].second, combiner->rhs[i]).second) {
      fail_at(at, "a name stands twice in the values of reduce");
    }
  }
  combiner->name = "custom";
  at_ = result_at;
  const auto values = [&](const ExprScope& scope, const char* what) {
    const ExprScope* outer = std::exchange(scope_, &scope);
    expect("[");
    Exprs out = list("]");
    scope_ = outer;
    highest = std::max(highest, height_);
    if (out.size() != sources.size())
      fail_at(at, std::string("reduce needs one ") + what + " for each source");
    for (std::size_t i = 0; i < out.size(); ++i) {
      if (is_const_int(out[i]) || out[i].as<FloatImm>() != nullptr)
        out[i] = build(at, [&] { return cast(sources[i].type(), out[i]); });
      if (out[i].type() != sources[i].type())
        fail_at(at, std::string("the ") + what + " of reduce is " + to_string(out[i].type()) +
                        ", its source is " + to_string(sources[i].type()));
    }
    return out;
  };
  ExprScope scope;
  scope.variable = [&](const std::string& n) {
    return inner.count(n) ? static_cast<Expr>(inner.at(n)) : Expr();
  };
  combiner->result = values(scope, "result");
  expect(",");
  combiner->identity = values(ExprScope{}, "identity");
  at_ = end;
  height_ = highest;
  return build(at, [&] { return make<Reduce>(keep, std::move(sources), std::move(axes), index); });
}

}  // namespace tessera::ir::detail
