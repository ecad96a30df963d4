#include "ir/intrinsics.h"

#include <array>

#include "ir/print.h"

namespace tessera::ir {

namespace {

using I = Intrinsic;
constexpr std::array<IntrinsicInfo, static_cast<std::size_t>(I::kCount)> kTable{{
    {I::kAbs, "abs", 1, true, false},          {I::kCeil, "ceil", 1, false, false},
    {I::kCos, "cos", 1, false, false},         {I::kErf, "erf", 1, false, false},
    {I::kExp, "exp", 1, false, false},         {I::kExp2, "exp2", 1, false, false},
    {I::kFloor, "floor", 1, false, false},     {I::kFma, "fma", 3, false, false},
    {I::kFmod, "fmod", 2, false, false},       {I::kIsFinite, "is_finite", 1, false, true},
    {I::kIsInf, "is_inf", 1, false, true},     {I::kIsNan, "is_nan", 1, false, true},
    {I::kLog, "log", 1, false, false},         {I::kLog2, "log2", 1, false, false},
    {I::kPopcount, "popcount", 1, true, false}, {I::kPow, "pow", 2, false, false},
    {I::kRound, "round", 1, false, false},     {I::kRsqrt, "rsqrt", 1, false, false},
    {I::kSigmoid, "sigmoid", 1, false, false}, {I::kSin, "sin", 1, false, false},
    {I::kSqrt, "sqrt", 1, false, false},       {I::kTanh, "tanh", 1, false, false},
    {I::kTrunc, "trunc", 1, false, false},
}};

}  // namespace

const IntrinsicInfo& intrinsic_info(Intrinsic f) { return kTable[static_cast<std::size_t>(f)]; }

const IntrinsicInfo* find_intrinsic(std::string_view name) {
  for (const IntrinsicInfo& row : kTable) {
    if (name == row.name) return &row;
  }
  return nullptr;
}

Expr call_intrinsic(Intrinsic f, Exprs args) {
  const IntrinsicInfo& info = intrinsic_info(f);
  TESSERA_USER_CHECK(static_cast<int>(args.size()) == info.arity)
      << info.name << " takes " << info.arity << " arguments, " << args.size() << " given";
  // Literals take the type of the first operand that is not one, as in a binary operation.
  Type t = args[0].type();
  for (const Expr& a : args) {
    if (a->kind != ExprKind::kIntImm && a->kind != ExprKind::kFloatImm) t = a.type();
  }
  for (Expr& a : args) {
    const bool literal = a->kind == ExprKind::kIntImm || a->kind == ExprKind::kFloatImm;
    if (literal && a.type() != t) a = cast(t.element(), a);
    if (a.type().lanes != t.lanes && a.type().is_scalar()) a = broadcast(a, t.lanes);
    TESSERA_USER_CHECK(a.type() == t) << "arguments of " << info.name << " have different types, " << a.type()
                                      << " and " << t;
  }
  const bool integer_ok = info.integers && t.is_integral() && !t.is_bool();
  const bool float_ok = t.is_float() && f != Intrinsic::kPopcount;
  TESSERA_USER_CHECK(integer_ok || float_ok)
      << info.name << " does not take " << t << " (" << to_string(args[0]) << "); cast to f32 first";
  return make<Call>(info.gives_bool ? boolean.with_lanes(t.lanes) : t, f, std::move(args));
}

}  // namespace tessera::ir
