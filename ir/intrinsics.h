// The table of pure functions: name, arity, what they accept.
#pragma once

#include "ir/expr.h"

namespace tessera::ir {

struct IntrinsicInfo {
  Intrinsic id;
  const char* name;
  int arity;
  bool integers;      // accepts integer arguments
  bool gives_bool;    // result is bool rather than the argument type
};

/// One row for each Intrinsic, in the order of the enum.
const IntrinsicInfo& intrinsic_info(Intrinsic f);
/// nullptr when there is no such name.
const IntrinsicInfo* find_intrinsic(std::string_view name);
/// Checks arity and argument types (UserError) and builds the call.
Expr call_intrinsic(Intrinsic f, Exprs args);

inline Expr abs(const Expr& x) { return call_intrinsic(Intrinsic::kAbs, {x}); }
inline Expr ceil(const Expr& x) { return call_intrinsic(Intrinsic::kCeil, {x}); }
inline Expr cos(const Expr& x) { return call_intrinsic(Intrinsic::kCos, {x}); }
inline Expr erf(const Expr& x) { return call_intrinsic(Intrinsic::kErf, {x}); }
inline Expr exp(const Expr& x) { return call_intrinsic(Intrinsic::kExp, {x}); }
inline Expr exp2(const Expr& x) { return call_intrinsic(Intrinsic::kExp2, {x}); }
inline Expr floor(const Expr& x) { return call_intrinsic(Intrinsic::kFloor, {x}); }
inline Expr fma(const Expr& a, const Expr& b, const Expr& c) { return call_intrinsic(Intrinsic::kFma, {a, b, c}); }
inline Expr log(const Expr& x) { return call_intrinsic(Intrinsic::kLog, {x}); }
inline Expr pow(const Expr& x, const Expr& y) { return call_intrinsic(Intrinsic::kPow, {x, y}); }
inline Expr round(const Expr& x) { return call_intrinsic(Intrinsic::kRound, {x}); }
inline Expr rsqrt(const Expr& x) { return call_intrinsic(Intrinsic::kRsqrt, {x}); }
inline Expr sigmoid(const Expr& x) { return call_intrinsic(Intrinsic::kSigmoid, {x}); }
inline Expr sin(const Expr& x) { return call_intrinsic(Intrinsic::kSin, {x}); }
inline Expr sqrt(const Expr& x) { return call_intrinsic(Intrinsic::kSqrt, {x}); }
inline Expr tanh(const Expr& x) { return call_intrinsic(Intrinsic::kTanh, {x}); }
inline Expr trunc(const Expr& x) { return call_intrinsic(Intrinsic::kTrunc, {x}); }

}  // namespace tessera::ir
