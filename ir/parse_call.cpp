// The functions of expressions: `name(...)`, and `(let v: t = x in body)`.
#include <algorithm>
#include <cmath>
#include <limits>

#include "ir/detail/parser.h"
#include "ir/intrinsics.h"
#include "ir/print.h"
#include "support/nearest.h"

namespace tessera::ir::detail {

namespace {

constexpr std::pair<const char*, ExprKind> kBinaryWords[] = {
    {"truncmod", ExprKind::kMod},
    {"min", ExprKind::kMin},
    {"max", ExprKind::kMax},
    {"fmin", ExprKind::kMin},
    {"fmax", ExprKind::kMax},
    {"bit_and", ExprKind::kBitAnd},
    {"bit_or", ExprKind::kBitOr},
    {"bit_xor", ExprKind::kBitXor},
    {"shift_left", ExprKind::kShiftLeft},
    {"shift_right", ExprKind::kShiftRight}};

/// An element type that a value can be converted to.
bool scalar_type(const ExprScope& scope, const std::string& word, Type& out) {
  if (const auto own = scope.type ? scope.type(word) : std::nullopt) {
    out = *own;
    return true;
  }
  const auto t = parse_type(word);
  if (!t.ok() || !t->is_scalar() || t->code == TypeCode::kHandle) return false;
  out = *t;
  return true;
}

bool has_prefix(const std::string& s, const char* prefix, std::string& rest) {
  const std::string p = prefix;
  if (s.compare(0, p.size(), p) != 0) return false;
  rest = s.substr(p.size());
  return true;
}

std::vector<std::string> function_names() {
  std::vector<std::string> out{"select", "if_then_else", "cast",   "broadcast",
                               "ramp",   "shuffle",      "masked", "reduce"};
  for (int i = 0; i < static_cast<int>(Intrinsic::kCount); ++i)
    out.emplace_back(intrinsic_info(static_cast<Intrinsic>(i)).name);
  for (const char* name : {"sum", "prod", "any", "all"}) out.emplace_back(name);
  for (const auto& [name, kind] : kBinaryWords) {
    if (std::find(out.begin(), out.end(), name) == out.end()) out.emplace_back(name);
  }
  for (const Type t : {i8, i16, i32, i64, u8, u16, u32, u64, f16, bf16, f32, f64, boolean})
    out.push_back(to_string(t));
  return out;
}

}  // namespace

Exprs ExprParser::arguments(const Token& name, std::size_t count) {
  Exprs args = list(")");
  if (args.size() != count) {
    fail_at(name, name.text + " takes " + std::to_string(count) + " arguments, " +
                      std::to_string(args.size()) + " given");
  }
  return args;
}

Expr ExprParser::function(const Token& name) {
  take();
  Expr out;
  if (reduction(name, out) || structural(name, out) || conversion(name, out)) return out;
  for (const auto& [word, kind] : kBinaryWords) {
    if (name.text != word) continue;
    const Exprs args = arguments(name, 2);
    return build(name, [&, k = kind] { return make_binary(k, args[0], args[1]); });
  }
  const IntrinsicInfo* info = find_intrinsic(name.text == "fabs" ? "abs" : name.text);
  if (info == nullptr) {
    std::vector<std::string> known = function_names();
    if (scope_->tensor && scope_->names) {
      const std::vector<std::string> tensors = scope_->names();
      known.insert(known.end(), tensors.begin(), tensors.end());
    }
    const std::string near = joined(nearest_names(name.text, known));
    fail_at(name, "unknown function '" + name.text.substr(0, 40) + "'" +
                      (near.empty() ? "" : "; near it: " + near));
  }
  Exprs args = arguments(name, static_cast<std::size_t>(info->arity));
  return build(name, [&] { return call_intrinsic(info->id, std::move(args)); });
}

bool ExprParser::structural(const Token& name, Expr& out) {
  const std::string& w = name.text;
  if (w == "select" || w == "if_then_else") {
    const Exprs a = arguments(name, 3);
    out = build(name, [&] {
      return w == "select" ? select(a[0], a[1], a[2]) : if_then_else(a[0], a[1], a[2]);
    });
  } else if (w == "broadcast") {
    const Expr v = scalar("the value of broadcast");
    const int n = lanes();
    out = build(name, [&] { return broadcast(v, n); });
  } else if (w == "ramp") {
    const Expr base = scalar("the base of ramp");
    const int base_height = height_;
    expect(",");
    const Expr stride = scalar("the stride of ramp");
    const int n = lanes();
    if (base.type() != stride.type() || !base.type().is_integral() || base.type().is_bool()) {
      fail_at(name, "ramp needs a base and a stride of one integer type");
    }
    height_ = std::max(height_, base_height);
    out = build(name, [&] { return ramp(base, stride, n); });
  } else if (w == "shuffle") {
    out = shuffle();
  } else if (w == "masked") {
    out = masked();
  } else {
    std::string word;
    ReduceOp op = ReduceOp::kSum;
    if (!has_prefix(w, "vector_", word) || !reduce_op(word, op)) return false;
    const Expr v = expr();
    const int n = lanes();
    const bool logical = op == ReduceOp::kAny || op == ReduceOp::kAll;
    if (v.type().lanes % n != 0)
      fail_at(name,
              std::to_string(v.type().lanes) + " lanes do not fold into " + std::to_string(n));
    if (logical != v.type().is_bool() || v.type().code == TypeCode::kHandle)
      fail_at(name, w + " does not take " + to_string(v.type()));
    out = build(name, [&] { return make<VectorReduce>(op, v, n); });
  }
  return true;
}

Expr ExprParser::scalar(const char* what) {
  const Token at = peek();
  Expr e = expr();
  if (!e.type().is_scalar())
    fail_at(at, std::string(what) + " is a vector, " + to_string(e.type()));
  return e;
}

int ExprParser::lanes() {
  expect(",");
  const auto n = static_cast<int>(integer("a number of lanes", 1, kMaxLanes));
  expect(")");
  return n;
}

Expr ExprParser::shuffle() {
  const Token at = peek();
  expect("[");
  Exprs vectors = list("]");
  if (vectors.empty()) fail_at(at, "shuffle needs at least one vector");
  int total = 0;
  for (const Expr& v : vectors) {
    if (v.type().element() != vectors[0].type().element())
      fail_at(at, "the vectors of shuffle have different types");
    total += v.type().lanes;
  }
  const int highest = height_;
  expect(",");
  expect("[");
  std::vector<int> indices;
  do {
    indices.push_back(static_cast<int>(integer("a lane", 0, total - 1)));
    if (indices.size() > kMaxLanes)
      fail("a vector has at most " + std::to_string(kMaxLanes) + " lanes");
  } while (accept(","));
  expect("]");
  expect(")");
  height_ = highest;
  return build(at, [&] { return make<Shuffle>(std::move(vectors), std::move(indices)); });
}

Expr ExprParser::masked() {
  const Token at = peek();
  const Expr read = expr();
  const int read_height = height_;
  expect(",");
  const Expr predicate = expr();
  expect(")");
  const auto* load = read.as<Load>();
  if (load == nullptr || load->predicate.defined())
    fail_at(at, "masked takes a buffer read and a predicate");
  if (predicate.type() != boolean.with_lanes(load->type.lanes)) {
    fail_at(at, "the predicate is " + to_string(predicate.type()) + ", it must be " +
                    to_string(boolean.with_lanes(load->type.lanes)));
  }
  height_ = std::max(height_, read_height);
  return build(at, [&] {
    return make<Load>(Buffer(load->buffer), load->indices, predicate, load->type.lanes);
  });
}

bool ExprParser::conversion(const Token& name, Expr& out) {
  Type t;
  std::string word;
  CastMode mode = CastMode::kWrap;
  if (name.text == "cast") {
    const Token at = peek();
    if (!scalar_type(*scope_, this->word("a dtype"), t))
      fail_at(at, "cast needs an element dtype, for example f32");
    expect(",");
  } else if (has_prefix(name.text, "reinterpret_", word) && scalar_type(*scope_, word, t)) {
    const Expr v = arguments(name, 1)[0];
    if (v.type().code == TypeCode::kHandle) fail_at(name, "a handle cannot be reinterpreted");
    out = build(name, [&] { return reinterpret(t, v); });
    return true;
  } else if (has_prefix(name.text, "saturate_", word) && scalar_type(*scope_, word, t)) {
    mode = CastMode::kSaturate;
  } else if (has_prefix(name.text, "round_", word) && scalar_type(*scope_, word, t)) {
    mode = CastMode::kRound;
  } else if (!scalar_type(*scope_, name.text, t)) {
    return false;
  }
  if (mode == CastMode::kWrap && (out = literal_of(t, name)).defined()) return true;
  const Expr v = arguments(name, 1)[0];
  if (v.type().code == TypeCode::kHandle) fail_at(name, "a handle cannot be converted");
  out = build(name, [&] {
    return mode == CastMode::kWrap       ? cast(t, v)
           : mode == CastMode::kSaturate ? saturating_cast(t, v)
                                         : rounding_cast(t, v);
  });
  return true;
}

/// `i8(-3)`, `f64(0.1)`, `f16(inf)`: a constant of the type itself, without a detour through i64 or
/// f32.
Expr ExprParser::literal_of(Type t, const Token& at) {
  const std::size_t sign = is("-") ? 1 : 0;
  if (!is(")", sign + 1)) return {};
  const Token& number = peek(sign);
  if (t.is_float()) {
    double v = 0;
    if (number.kind == Token::Kind::kFloat) {
      v = number.real;
    } else if (number.kind == Token::Kind::kInteger) {
      v = static_cast<double>(number.integer);
    } else if (is_word("inf", sign)) {
      v = HUGE_VAL;
    } else if (is_word("nan", sign)) {
      v = std::numeric_limits<double>::quiet_NaN();
    } else {
      return {};
    }
    at_ += sign + 2;
    height_ = 1;
    return float_imm(sign ? -v : v, t);
  }
  if (number.kind != Token::Kind::kInteger || t.is_bool()) return {};
  const bool big = number.integer > static_cast<std::uint64_t>(INT64_MAX) + sign;
  const auto v = static_cast<std::int64_t>(sign ? -number.integer : number.integer);
  if ((big && (t != u64 || sign)) || wrap_int(v, t) != v)
    fail_at(number, "this integer does not fit " + at.text);
  at_ += sign + 2;
  height_ = 1;
  return int_imm(v, t);
}

Expr ExprParser::let() {
  take();
  const Token at = peek();
  const std::string name = word("a name");
  expect(":");
  const Type t = type();
  expect("=");
  const Expr value = expr();
  const int value_height = height_;
  if (value.type() != t)
    fail_at(at, "'" + name.substr(0, 40) + "' is " + to_string(t) + ", its value is " +
                    to_string(value.type()));
  if (!accept_word("in")) expected("'in'");
  const Var var = scope_->bind ? scope_->bind(name, t) : Var::fresh(name, t);
  // The body sees the new name in front of the scope's own.
  const ExprScope* outer = scope_;
  ExprScope inner = *outer;
  inner.variable = [&](const std::string& n) {
    return n == name ? static_cast<Expr>(var) : outer->variable ? outer->variable(n) : Expr();
  };
  scope_ = &inner;
  const Expr body = expr();
  scope_ = outer;
  expect(")");
  height_ = std::max(height_, value_height);
  return build(at, [&] { return make<Let>(var, value, body); });
}

}  // namespace tessera::ir::detail
