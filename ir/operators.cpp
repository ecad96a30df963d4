// What builds expressions: operators with type matching and folding, choices, casts, vectors, and the
// built-in combiners.
#include <cmath>

#include "ir/arith.h"
#include "ir/expr.h"
#include "ir/print.h"

namespace tessera::ir {

namespace {

bool is_comparison(ExprKind k) {
  return k == ExprKind::kEQ || k == ExprKind::kNE || k == ExprKind::kLT || k == ExprKind::kLE;
}

Type result_type(ExprKind k, Type operand) { return is_comparison(k) ? boolean.with_lanes(operand.lanes) : operand; }

bool is_imm(const Expr& e) {
  if (e->kind == ExprKind::kIntImm || e->kind == ExprKind::kFloatImm) return true;
  const auto* b = e.as<Broadcast>();
  return b != nullptr && is_imm(b->value);
}

double float_value(const Expr& e) {
  if (const auto* b = e.as<Broadcast>()) return float_value(b->value);
  if (const auto* f = e.as<FloatImm>()) return f->value;
  const std::int64_t v = e.as<IntImm>()->value;
  return e.type() == u64 ? static_cast<double>(static_cast<std::uint64_t>(v)) : static_cast<double>(v);
}

/// An immediate takes the type it meets, unless that would change its value.
bool adapt(Expr& imm, Type t) {
  const double v = float_value(imm);
  if (t.is_float()) {
    imm = constant_of(t.with_lanes(imm.type().lanes), v);
    return true;
  }
  if (!t.is_integral() || t.is_bool()) return false;
  if (imm.type().is_float()) return false;
  std::int64_t i = 0;
  if (!is_const_int(imm, &i) || wrap_int(i, t) != i) return false;
  imm = broadcast(int_imm(i, t.element()), imm.type().lanes);
  return true;
}

void match(Expr& a, Expr& b, const char* what) {
  TESSERA_USER_CHECK(a.defined() && b.defined()) << "an operand of " << what << " is an undefined expression";
  if (a.type().element() != b.type().element()) {
    const bool a_imm = is_imm(a), b_imm = is_imm(b);
    const bool adapted = (b_imm && adapt(b, a.type().element())) || (a_imm && adapt(a, b.type().element()));
    TESSERA_USER_CHECK(adapted) << "operands of " << what << " have different types: " << to_string(a) << " is "
                                << a.type() << ", " << to_string(b) << " is " << b.type()
                                << "; cast one of them, for example cast(" << a.type().element() << ", ...)";
  }
  if (a.type().lanes != b.type().lanes) {
    if (a.type().is_scalar()) {
      a = broadcast(a, b.type().lanes);
    } else if (b.type().is_scalar()) {
      b = broadcast(b, a.type().lanes);
    } else {
      TESSERA_USER_CHECK(false) << "operands of " << what << " have " << a.type().lanes << " and "
                                << b.type().lanes << " lanes";
    }
  }
}

bool fold_float(ExprKind k, double a, double b, double& out) {
  switch (k) {
    case ExprKind::kAdd: out = a + b; return true;
    case ExprKind::kSub: out = a - b; return true;
    case ExprKind::kMul: out = a * b; return true;
    case ExprKind::kDiv: out = a / b; return true;
    default: return false;
  }
}

Expr build_binary(ExprKind k, Type t, Expr a, Expr b) {
  switch (k) {
#define TESSERA_CASE(name) \
  case ExprKind::k##name: return make<name>(t, std::move(a), std::move(b));
    TESSERA_BINARY_KINDS(TESSERA_CASE)
#undef TESSERA_CASE
    default: TESSERA_UNREACHABLE();
  }
}

/// x+0, 0+x, x-0, x*1, 1*x, x*0, x/1 and the boolean identities.
Expr identity(ExprKind k, const Expr& a, const Expr& b) {
  const bool integral = a.type().is_integral();
  switch (k) {
    case ExprKind::kAdd:
      if (integral && is_zero(a)) return b;
      [[fallthrough]];
    case ExprKind::kSub:
      return integral && is_zero(b) ? a : Expr();
    case ExprKind::kMul:
      if (integral && (is_zero(a) || is_zero(b))) return constant_of(a.type(), 0);
      if (is_one(a)) return b;
      [[fallthrough]];
    case ExprKind::kDiv:
    case ExprKind::kFloorDiv:
      return is_one(b) ? a : Expr();
    case ExprKind::kFloorMod:
      return integral && is_one(b) ? constant_of(a.type(), 0) : Expr();
    case ExprKind::kAnd:
      if (is_true(a) || is_false(b)) return b;
      if (is_true(b) || is_false(a)) return a;
      return {};
    case ExprKind::kOr:
      if (is_false(a) || is_true(b)) return b;
      if (is_false(b) || is_true(a)) return a;
      return {};
    default: return {};
  }
}

const char* symbol(ExprKind k) { return kind_name(k); }

void require_numeric(ExprKind k, const Expr& a) {
  const Type t = a.type();
  const bool logical = k == ExprKind::kAnd || k == ExprKind::kOr;
  const bool bits = k == ExprKind::kBitAnd || k == ExprKind::kBitOr || k == ExprKind::kBitXor ||
                    k == ExprKind::kShiftLeft || k == ExprKind::kShiftRight;
  const bool integer_only = bits || k == ExprKind::kFloorDiv || k == ExprKind::kFloorMod || k == ExprKind::kMod;
  TESSERA_USER_CHECK(!logical || t.is_bool()) << symbol(k) << " needs bool operands, " << to_string(a) << " is " << t;
  TESSERA_USER_CHECK(!integer_only || t.is_integral())
      << symbol(k) << " needs integer operands, " << to_string(a) << " is " << t;
  const bool arithmetic = !logical && !bits && !is_comparison(k);
  TESSERA_USER_CHECK(!arithmetic || !t.is_bool() || k == ExprKind::kMin || k == ExprKind::kMax)
      << symbol(k) << " does not take bool operands (" << to_string(a) << "); cast to an integer type first";
}

}  // namespace

// ---- operators ----------------------------------------------------------------------------------

Expr make_binary(ExprKind k, const Expr& x, const Expr& y) {
  Expr a = x, b = y;
  match(a, b, symbol(k));
  require_numeric(k, a);
  const Type t = a.type();
  std::int64_t i = 0, j = 0, r = 0;
  if (is_const_int(a, &i) && is_const_int(b, &j) && apply_int(k, t.element(), i, j, r)) {
    return broadcast(int_imm(r, result_type(k, t).element()), t.lanes);
  }
  if (t.is_float() && (t.bits >= 32) && is_imm(a) && is_imm(b)) {
    double d = 0;
    if (fold_float(k, float_value(a), float_value(b), d)) return constant_of(t, d);
  }
  if (Expr e = identity(k, a, b); e.defined()) return e;
  return build_binary(k, result_type(k, t), a, b);
}

#define TESSERA_OPERATOR(op, kind) \
  Expr op(const Expr& a, const Expr& b) { return make_binary(ExprKind::kind, a, b); }
TESSERA_OPERATOR(operator+, kAdd)
TESSERA_OPERATOR(operator-, kSub)
TESSERA_OPERATOR(operator*, kMul)
TESSERA_OPERATOR(operator/, kDiv)
TESSERA_OPERATOR(operator<, kLT)
TESSERA_OPERATOR(operator<=, kLE)
TESSERA_OPERATOR(operator==, kEQ)
TESSERA_OPERATOR(operator!=, kNE)
TESSERA_OPERATOR(operator&&, kAnd)
TESSERA_OPERATOR(operator||, kOr)
TESSERA_OPERATOR(truncmod, kMod)
TESSERA_OPERATOR(floordiv, kFloorDiv)
TESSERA_OPERATOR(floormod, kFloorMod)
TESSERA_OPERATOR(min, kMin)
TESSERA_OPERATOR(max, kMax)
#undef TESSERA_OPERATOR

Expr operator>(const Expr& a, const Expr& b) { return b < a; }
Expr operator>=(const Expr& a, const Expr& b) { return b <= a; }
Expr operator-(const Expr& a) {
  // -x, not 0-x: the negation of a float zero is a negative zero.
  return a.type().is_float() ? a * constant_of(a.type(), -1) : constant_of(a.type(), 0) - a;
}

Expr operator!(const Expr& a) {
  TESSERA_USER_CHECK(a.type().is_bool()) << "! needs a bool operand, " << to_string(a) << " is " << a.type();
  if (is_true(a)) return bool_imm(false, a.type().lanes);
  if (is_false(a)) return bool_imm(true, a.type().lanes);
  if (const auto* n = a.as<Not>()) return n->a;
  return make<Not>(a);
}

Expr ceildiv(const Expr& a, const Expr& b) { return floordiv(a + (b - constant_of(b.type(), 1)), b); }

namespace {

template <class N>
Expr choose(const Expr& c, const Expr& yes, const Expr& no, const char* what) {
  Expr y = yes, n = no, condition = c;
  match(y, n, what);
  TESSERA_USER_CHECK(c.type().is_bool()) << "the condition of " << what << " is " << c.type() << ", not bool: "
                                         << to_string(c);
  if (is_true(condition)) return y;
  if (is_false(condition)) return n;
  if (condition.type().lanes != y.type().lanes) {
    TESSERA_USER_CHECK(condition.type().is_scalar() || y.type().is_scalar())
        << "the condition of " << what << " has " << condition.type().lanes << " lanes, its values have " << y.type().lanes;
    if (condition.type().is_scalar()) {
      if constexpr (std::is_same_v<N, Select>) condition = broadcast(condition, y.type().lanes);
    } else {
      y = broadcast(y, condition.type().lanes);
      n = broadcast(n, condition.type().lanes);
    }
  }
  return make<N>(condition, y, n);
}

}  // namespace

Expr select(const Expr& c, const Expr& yes, const Expr& no) { return choose<Select>(c, yes, no, "select"); }
Expr if_then_else(const Expr& c, const Expr& yes, const Expr& no) {
  return choose<IfThenElseExpr>(c, yes, no, "if_then_else");
}

namespace {

/// Converts a constant as the interpreter would; false when `e` is none.
bool fold_cast(Type t, const Expr& e, CastMode mode, Expr& out) {
  const auto* i = e.as<IntImm>();
  const auto* f = e.as<FloatImm>();
  if ((i == nullptr && f == nullptr) || t.code == TypeCode::kHandle) return false;
  const Scalar v = convert(i != nullptr ? Scalar{.i = i->value} : Scalar{.f = f->value}, e.type(), t, mode);
  out = t.is_float() ? make<FloatImm>(t, v.f) : make<IntImm>(t, v.i);
  return true;
}

Expr cast_mode(Type t, const Expr& e, CastMode mode) {
  TESSERA_USER_CHECK(e.defined()) << "cast of an undefined expression";
  t = t.with_lanes(e.type().lanes);
  if (e.type() == t) return e;
  Expr out;
  if (const auto* b = e.as<Broadcast>()) return broadcast(cast_mode(t.element(), b->value, mode), t.lanes);
  if (fold_cast(t, e, mode, out)) return out;
  return make<Cast>(t, e, mode);
}

}  // namespace

Expr cast(Type t, const Expr& e) { return cast_mode(t, e, CastMode::kWrap); }
Expr saturating_cast(Type t, const Expr& e) { return cast_mode(t, e, CastMode::kSaturate); }
Expr rounding_cast(Type t, const Expr& e) { return cast_mode(t, e, CastMode::kRound); }

Expr reinterpret(Type t, const Expr& e) {
  t = t.with_lanes(e.type().lanes);
  TESSERA_USER_CHECK(t.bits == e.type().bits) << "reinterpret from " << e.type() << " to " << t << " changes the width";
  return e.type() == t ? e : make<Reinterpret>(t, e);
}

Expr broadcast(const Expr& e, int lanes) {
  if (lanes == e.type().lanes) return e;
  TESSERA_CHECK(e.type().is_scalar()) << "broadcast of " << e.type();
  return make<Broadcast>(e, lanes);
}

Expr ramp(const Expr& base, const Expr& stride, int lanes) {
  if (lanes == 1) return base;
  return is_zero(stride) ? broadcast(base, lanes) : make<Ramp>(base, stride, lanes);
}

// ---- combiners ----------------------------------------------------------------------------------

Combiner make_combiner(ReduceOp op, Type t) {
  auto* c = new CombinerNode;
  c->op = op;
  const Var x = Var::fresh("x", t), y = Var::fresh("y", t);
  c->lhs = {x};
  c->rhs = {y};
  const auto limit = [&](bool low) -> Expr {
    if (t.is_float()) return float_imm(low ? -HUGE_VAL : HUGE_VAL, t);
    return int_imm(low ? min_value(t) : (t == u64 ? -1 : max_value(t)), t);
  };
  switch (op) {
    case ReduceOp::kSum: c->name = "sum"; c->result = {x + y}; c->identity = {constant_of(t, 0)}; break;
    case ReduceOp::kProd: c->name = "prod"; c->result = {x * y}; c->identity = {constant_of(t, 1)}; break;
    case ReduceOp::kMin: c->name = "min"; c->result = {min(x, y)}; c->identity = {limit(false)}; break;
    case ReduceOp::kMax: c->name = "max"; c->result = {max(x, y)}; c->identity = {limit(true)}; break;
    case ReduceOp::kAny: c->name = "any"; c->result = {x || y}; c->identity = {bool_imm(false)}; break;
    case ReduceOp::kAll: c->name = "all"; c->result = {x && y}; c->identity = {bool_imm(true)}; break;
    case ReduceOp::kCustom: TESSERA_UNREACHABLE();
  }
  return Combiner(c);
}

}  // namespace tessera::ir
