// Nodes of expressions and their hashes, constants, and what is asked of constants.
#include "ir/expr.h"

#include <atomic>
#include <bit>
#include <cfloat>
#include <cmath>

#include "ir/buffer.h"

namespace tessera::ir {

namespace {

std::uint64_t seed(ExprKind k, Type t) { return hash_combine(static_cast<std::uint64_t>(k) + 1, t.hash()); }

std::uint64_t of(const Expr& e) { return e.defined() ? e.hash() : 0x51ed270b; }

std::uint64_t of(std::uint64_t h, const Exprs& es) {
  for (const Expr& e : es) h = hash_combine(h, of(e));
  return hash_combine(h, es.size());
}

}  // namespace

const char* kind_name(ExprKind k) {
  switch (k) {
#define TESSERA_NAME(name) case ExprKind::k##name: return #name;
    TESSERA_EXPR_KINDS(TESSERA_NAME)
#undef TESSERA_NAME
  }
  return "?";
}

// ---- nodes --------------------------------------------------------------------------------------

Expr::Expr(int v) : Expr(int_imm(v)) {}
Expr::Expr(std::int64_t v) : Expr(int_imm(v)) {}
Expr::Expr(double v) : Expr(float_imm(v)) {}

Binary::Binary(ExprKind k, Type t, Expr x, Expr y)
    : ExprNode(k, t, hash_combine(hash_combine(seed(k, t), of(x)), of(y))), a(std::move(x)), b(std::move(y)) {}

const Binary* as_binary(const Expr& e) {
  switch (e->kind) {
#define TESSERA_CASE(name) case ExprKind::k##name:
    TESSERA_BINARY_KINDS(TESSERA_CASE)
#undef TESSERA_CASE
    return static_cast<const Binary*>(e.get());
    default: return nullptr;
  }
}

IntImm::IntImm(Type t, std::int64_t v)
    : ExprNode(kKind, t, hash_combine(seed(kKind, t), static_cast<std::uint64_t>(v))), value(v) {}
FloatImm::FloatImm(Type t, double v)
    : ExprNode(kKind, t, hash_combine(seed(kKind, t), std::bit_cast<std::uint64_t>(v))), value(v) {}
VarNode::VarNode(Type t, VarId i, std::string n)
    : ExprNode(kKind, t, hash_combine(seed(kKind, t), i)), id(i), name(std::move(n)) {}

Var Var::fresh(std::string name, Type type) {
  static std::atomic<VarId> next{1};
  return Var(new VarNode(type, next.fetch_add(1, std::memory_order_relaxed), std::move(name)));
}

Cast::Cast(Type t, Expr v, CastMode m)
    : ExprNode(kKind, t, hash_combine(hash_combine(seed(kKind, t), of(v)), static_cast<std::uint64_t>(m))),
      value(std::move(v)), mode(m) {}
Reinterpret::Reinterpret(Type t, Expr v)
    : ExprNode(kKind, t, hash_combine(seed(kKind, t), of(v))), value(std::move(v)) {}
Not::Not(Expr x) : ExprNode(kKind, x.type(), hash_combine(seed(kKind, x.type()), of(x))), a(std::move(x)) {}
Select::Select(Expr c, Expr y, Expr n)
    : ExprNode(kKind, y.type(), hash_combine(hash_combine(hash_combine(seed(kKind, y.type()), of(c)), of(y)), of(n))),
      condition(std::move(c)), yes(std::move(y)), no(std::move(n)) {}
IfThenElseExpr::IfThenElseExpr(Expr c, Expr y, Expr n)
    : ExprNode(kKind, y.type(), hash_combine(hash_combine(hash_combine(seed(kKind, y.type()), of(c)), of(y)), of(n))),
      condition(std::move(c)), yes(std::move(y)), no(std::move(n)) {}
Ramp::Ramp(Expr b, Expr s, int lanes)
    : ExprNode(kKind, b.type().with_lanes(lanes),
               hash_combine(hash_combine(seed(kKind, b.type().with_lanes(lanes)), of(b)), of(s))),
      base(std::move(b)), stride(std::move(s)) {}
Broadcast::Broadcast(Expr v, int lanes)
    : ExprNode(kKind, v.type().with_lanes(lanes), hash_combine(seed(kKind, v.type().with_lanes(lanes)), of(v))),
      value(std::move(v)) {}

namespace {
std::uint64_t shuffle_hash(Type t, const Exprs& v, const std::vector<int>& i) {
  std::uint64_t h = of(seed(ExprKind::kShuffle, t), v);
  for (const int x : i) h = hash_combine(h, static_cast<std::uint64_t>(x));
  return h;
}
}  // namespace

Shuffle::Shuffle(Exprs v, std::vector<int> i)
    : ExprNode(kKind, v.front().type().with_lanes(static_cast<int>(i.size())),
               shuffle_hash(v.front().type().with_lanes(static_cast<int>(i.size())), v, i)),
      vectors(std::move(v)), indices(std::move(i)) {}
VectorReduce::VectorReduce(ReduceOp o, Expr v, int lanes)
    : ExprNode(kKind, v.type().with_lanes(lanes),
               hash_combine(hash_combine(seed(kKind, v.type().with_lanes(lanes)), of(v)), static_cast<std::uint64_t>(o))),
      op(o), value(std::move(v)) {}
Let::Let(Var v, Expr x, Expr b)
    : ExprNode(kKind, b.type(), hash_combine(hash_combine(hash_combine(seed(kKind, b.type()), of(v)), of(x)), of(b))),
      var(std::move(v)), value(std::move(x)), body(std::move(b)) {}
Call::Call(Type t, Intrinsic f, Exprs a)
    : ExprNode(kKind, t, of(hash_combine(seed(kKind, t), static_cast<std::uint64_t>(f)), a)),
      intrinsic(f), args(std::move(a)) {}
Load::Load(const Buffer& b, Exprs i, Expr p, int lanes)
    : ExprNode(kKind, b->dtype.with_lanes(lanes),
               hash_combine(of(hash_combine(seed(kKind, b->dtype.with_lanes(lanes)), b->id), i), of(p))),
      buffer(b.ref()), indices(std::move(i)), predicate(std::move(p)) {}

namespace {
std::uint64_t reduce_hash(Type t, const Combiner& c, const Exprs& s, const std::vector<ReduceAxis>& a, int i) {
  std::uint64_t h = of(hash_combine(seed(ExprKind::kReduce, t), static_cast<std::uint64_t>(c->op)), s);
  for (const ReduceAxis& x : a) h = hash_combine(hash_combine(h, of(x.var)), of(x.extent));
  for (const Expr& r : c->result) h = c->op == ReduceOp::kCustom ? hash_combine(h, of(r)) : h;
  return hash_combine(h, static_cast<std::uint64_t>(i));
}
}  // namespace

Reduce::Reduce(Combiner c, Exprs s, std::vector<ReduceAxis> a, int i)
    : ExprNode(kKind, s[static_cast<std::size_t>(i)].type(),
               reduce_hash(s[static_cast<std::size_t>(i)].type(), c, s, a, i)),
      combiner(std::move(c)), sources(std::move(s)), axes(std::move(a)), index(i) {}

void destroy(const ExprNode* n) {
  switch (n->kind) {
#define TESSERA_CASE(name) case ExprKind::k##name: delete static_cast<const name*>(n); return;
    TESSERA_BINARY_KINDS(TESSERA_CASE)
    TESSERA_CASE(IntImm) TESSERA_CASE(FloatImm) TESSERA_CASE(Cast) TESSERA_CASE(Reinterpret) TESSERA_CASE(Not)
    TESSERA_CASE(Select) TESSERA_CASE(IfThenElseExpr) TESSERA_CASE(Ramp) TESSERA_CASE(Broadcast)
    TESSERA_CASE(Shuffle) TESSERA_CASE(VectorReduce) TESSERA_CASE(Let) TESSERA_CASE(Call) TESSERA_CASE(Load)
    TESSERA_CASE(Reduce)
#undef TESSERA_CASE
    case ExprKind::kVar: delete static_cast<const VarNode*>(n); return;
  }
}

void destroy(const CombinerNode* n) { delete n; }

// ---- constants ----------------------------------------------------------------------------------

std::int64_t wrap_int(std::int64_t v, Type t) {
  if (t.bits >= 64) return v;
  const std::uint64_t mask = (std::uint64_t{1} << t.bits) - 1;
  const std::uint64_t u = static_cast<std::uint64_t>(v) & mask;
  if (t.is_uint()) return static_cast<std::int64_t>(u);
  const std::uint64_t sign = std::uint64_t{1} << (t.bits - 1);
  return static_cast<std::int64_t>((u ^ sign) - sign);
}

namespace {

/// Rounds to `digits` significant bits with exponents of at least `min_exponent` (nearest even).
double round_binary(double v, int digits, int min_exponent, double largest) {
  if (v == 0 || !std::isfinite(v)) return v;
  int e = 0;
  std::frexp(v, &e);
  const int scale = std::max(e - digits, min_exponent);
  const double r = std::ldexp(std::nearbyint(std::ldexp(v, -scale)), scale);
  return std::fabs(r) > largest ? std::copysign(HUGE_VAL, v) : r;
}

}  // namespace

double round_to(double v, Type t) {
  switch (t.code) {
    case TypeCode::kFloat:
      if (t.bits == 64) return v;
      return t.bits == 32 ? static_cast<double>(static_cast<float>(v)) : round_binary(v, 11, -24, 65504);
    case TypeCode::kBFloat: return round_binary(v, 8, -133, 3.3895313892515355e38);
    case TypeCode::kTFloat: return round_binary(v, 11, -136, FLT_MAX);
    case TypeCode::kFloatE4M3: return round_binary(v, 4, -9, 448);
    case TypeCode::kFloatE5M2: return round_binary(v, 3, -16, 57344);
    default: return v;
  }
}

Expr int_imm(std::int64_t v, Type t) {
  TESSERA_CHECK(t.is_integral() && t.is_scalar()) << "integer constant of type " << t;
  return make<IntImm>(t, wrap_int(v, t));
}

Expr float_imm(double v, Type t) {
  TESSERA_CHECK(t.is_float() && t.is_scalar()) << "float constant of type " << t;
  return make<FloatImm>(t, round_to(v, t));
}

Expr constant_of(Type t, double v) {
  const Type e = t.element();
  const Expr c = e.is_float() ? float_imm(v, e) : int_imm(static_cast<std::int64_t>(v), e);
  return broadcast(c, t.lanes);
}

Expr bool_imm(bool v, int lanes) { return broadcast(int_imm(v ? 1 : 0, boolean), lanes); }

bool is_const_int(const Expr& e, std::int64_t* value) {
  if (!e.defined()) return false;
  if (const auto* b = e.as<Broadcast>()) return is_const_int(b->value, value);
  const auto* i = e.as<IntImm>();
  if (i == nullptr) return false;
  if (value != nullptr) *value = i->value;
  return true;
}

bool is_zero(const Expr& e) {
  std::int64_t v = 0;
  return is_const_int(e, &v) && v == 0;
}

bool is_one(const Expr& e) {
  std::int64_t v = 0;
  if (is_const_int(e, &v)) return v == 1 && !e.type().is_bool();
  if (const auto* b = e.as<Broadcast>()) return is_one(b->value);
  const auto* f = e.as<FloatImm>();
  return f != nullptr && f->value == 1.0;
}

bool is_true(const Expr& e) {
  std::int64_t v = 0;
  return e.defined() && e.type().is_bool() && is_const_int(e, &v) && v == 1;
}

bool is_false(const Expr& e) {
  std::int64_t v = 0;
  return e.defined() && e.type().is_bool() && is_const_int(e, &v) && v == 0;
}

}  // namespace tessera::ir
