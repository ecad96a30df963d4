#include "codegen/llvm/detail/vector_math.h"

#include <cmath>

namespace tessera::codegen {

namespace {

using I = ir::Intrinsic;

/// The libm function that serves what we do not compute ourselves.
const char* libm_name(I f) {
  switch (f) {
    case I::kCos: return "cos";
    case I::kSin: return "sin";
    case I::kErf: return "erf";
    case I::kExp: return "exp";
    case I::kExp2: return "exp2";
    case I::kFmod: return "fmod";
    case I::kLog: return "log";
    case I::kLog2: return "log2";
    case I::kPow: return "pow";
    case I::kTanh: return "tanh";
    default: return nullptr;
  }
}

}  // namespace

llvm::Value* VectorMath::unary(llvm::Intrinsic::ID id, Value* x) { return b_.CreateUnaryIntrinsic(id, x); }

llvm::Value* VectorMath::fma(Value* a, Value* b, Value* c) { return b_.CreateIntrinsic(llvm::Intrinsic::fma, {a->getType()}, {a, b, c}); }

llvm::Value* VectorMath::poly(Value* x, std::initializer_list<double> coefficients) {
  Value* r = nullptr;
  for (const double c : coefficients) r = r == nullptr ? num(c) : fma(r, x, num(c));
  return r;
}

llvm::Value* VectorMath::keep_nan(Value* x, Value* result) { return b_.CreateSelect(b_.CreateFCmpUNO(x, x), x, result); }

llvm::Type* VectorMath::ints() const { return e_.type(ir::i32.with_lanes(t_.lanes)); }

llvm::Value* VectorMath::scale_by_power(Value* p, Value* n) {
  // In two halves, so that results below the normal range round once and overflow gives infinity.
  Value* i = b_.CreateFPToSI(n, ints());
  const auto word = [&](std::int64_t x) { return llvm::ConstantInt::get(ints(), static_cast<std::uint64_t>(x), true); };
  Value* half = b_.CreateAShr(i, 1);
  const auto power = [&](Value* k) { return b_.CreateBitCast(b_.CreateShl(b_.CreateAdd(k, word(127)), 23), p->getType()); };
  return b_.CreateFMul(b_.CreateFMul(p, power(half)), power(b_.CreateSub(i, half)));
}

// Range reduction x = n ln 2 + r, |r| <= ln 2 / 2; exp(r) = 1 + r + r^2 q(r), q fitted in the minimax
// sense to 1.3e-9 on the interval.
llvm::Value* VectorMath::exp(Value* x) {
  const auto clamp_low = b_.CreateSelect(b_.CreateFCmpOGT(x, num(-104.5)), x, num(-104.5));
  Value* v = b_.CreateSelect(b_.CreateFCmpOLT(clamp_low, num(89.5)), clamp_low, num(89.5));
  Value* n = unary(llvm::Intrinsic::roundeven, b_.CreateFMul(v, num(1.4426950408889634)));
  Value* r = fma(n, num(-0.693145751953125), v);          // ln 2 cut to 16 bits: n * it is exact
  r = fma(n, num(-1.428606765330187e-06), r);
  Value* q = poly(r, {0.0001990757300518453, 0.0013933642767369747, 0.00833328627049923, 0.04166646674275398, 0.1666666716337204, 0.5});
  Value* p = b_.CreateFAdd(fma(b_.CreateFMul(r, r), q, r), num(1));
  return keep_nan(x, scale_by_power(p, n));
}

// 2^x = 2^n (1 + r q(r)), |r| <= 1/2, q to 1.6e-10.
llvm::Value* VectorMath::exp2(Value* x) {
  Value* low = b_.CreateSelect(b_.CreateFCmpOGT(x, num(-151)), x, num(-151));
  Value* v = b_.CreateSelect(b_.CreateFCmpOLT(low, num(129)), low, num(129));
  Value* n = unary(llvm::Intrinsic::roundeven, v);
  Value* r = b_.CreateFSub(v, n);
  Value* q = poly(r, {1.531006819277536e-05, 0.00015461447765119374, 0.0013333454262465239, 0.009618056938052177,
                      0.05550410971045494, 0.24022650718688965, 0.6931471824645996});
  return keep_nan(x, scale_by_power(fma(r, q, num(1)), n));
}

// x = 2^e (1 + f) with f in [sqrt(1/2) - 1, sqrt(2) - 1]; log(1 + f) = f - f^2/2 + f^3 q(f).
llvm::Value* VectorMath::log(Value* x) {
  const auto word = [&](std::int64_t v) { return llvm::ConstantInt::get(ints(), static_cast<std::uint64_t>(v), true); };
  Value* tiny = b_.CreateFCmpOLT(x, num(0x1p-126));
  Value* v = b_.CreateSelect(tiny, b_.CreateFMul(x, num(0x1p23)), x);
  Value* bits = b_.CreateBitCast(v, ints());
  // Moving the mantissa boundary to sqrt(1/2) makes the exponent come out centred.
  Value* shifted = b_.CreateSub(bits, word(0x3f3504f3));
  Value* e = b_.CreateSIToFP(b_.CreateAShr(shifted, 23), x->getType());
  e = b_.CreateSelect(tiny, b_.CreateFSub(e, num(23)), e);
  Value* m = b_.CreateBitCast(b_.CreateAdd(b_.CreateAnd(shifted, word(0x7fffff)), word(0x3f3504f3)), x->getType());
  Value* f = b_.CreateFSub(m, num(1));
  Value* q = poly(f, {0.07332459092140198, -0.11659897118806839, 0.11634673923254013, -0.12396705895662308,
                      0.1425115466117859, -0.16669151186943054, 0.2000068873167038, -0.24999980628490448, 0.3333333134651184});
  Value* s = b_.CreateFMul(f, f);
  Value* tail = fma(e, num(-2.12194440e-4), b_.CreateFMul(b_.CreateFMul(f, s), q));
  tail = fma(s, num(-0.5), tail);
  Value* r = fma(e, num(0.693359375), b_.CreateFAdd(f, tail));
  r = b_.CreateSelect(b_.CreateFCmpOEQ(x, num(HUGE_VAL)), x, r);
  r = b_.CreateSelect(b_.CreateFCmpOEQ(x, num(0)), num(-HUGE_VAL), r);
  r = b_.CreateSelect(b_.CreateFCmpOLT(x, num(0)), num(std::nan("")), r);
  return keep_nan(x, r);
}

// Odd polynomial below 0.625, 1 - 2 / (exp(2|x|) + 1) above.
llvm::Value* VectorMath::tanh(Value* x) {
  Value* a = unary(llvm::Intrinsic::fabs, x);
  Value* s = b_.CreateFMul(x, x);
  Value* q = poly(s, {0.00229892716743052, -0.008349994197487831, 0.021770991384983063, -0.053959548473358154,
                      0.13333305716514587, -0.3333333432674408});
  Value* small = fma(b_.CreateFMul(s, q), x, x);
  Value* e = exp(b_.CreateFAdd(a, a));
  Value* large = b_.CreateFSub(num(1), b_.CreateFDiv(num(2), b_.CreateFAdd(e, num(1))));
  large = b_.CreateBinaryIntrinsic(llvm::Intrinsic::copysign, large, x);
  return keep_nan(x, b_.CreateSelect(b_.CreateFCmpOLT(a, num(0.625)), small, large));
}

// a + a p(a^2) below 0.925; above, 1 - exp(-t + t p(t)), p fitted to log(erfc(t)) weighted so that
// the error of erf is what is minimal.
llvm::Value* VectorMath::erf(Value* x) {
  Value* t = unary(llvm::Intrinsic::fabs, x);
  Value* s = b_.CreateFMul(x, x);
  Value* small = fma(poly(s, {8.34522579680197e-05, -0.0008137437980622053, 0.005200634244829416, -0.02685927040874958,
                              0.11283694207668304, -0.37612634897232056, 0.12837916612625122}), x, x);
  Value* u = b_.CreateSelect(b_.CreateFCmpOLT(t, num(4)), t, num(4));  // erf rounds to 1 from 3.92 on
  Value* p = poly(u, {-4.938261099596275e-06, 4.558174259727821e-05, 4.958398858434521e-05, -0.0029301501344889402,
                      0.02267412655055523, -0.10526268929243088, -0.6356253027915955, -0.12855175137519836});
  Value* large = b_.CreateFSub(num(1), exp(fma(p, u, b_.CreateFNeg(u))));
  large = b_.CreateBinaryIntrinsic(llvm::Intrinsic::copysign, large, x);
  return keep_nan(x, b_.CreateSelect(b_.CreateFCmpOLT(t, num(0.925)), small, large));
}

llvm::Value* VectorMath::libm(const char* name, const std::vector<Value*>& args) {
  const bool f64 = t_.bits == 64;
  llvm::Type* scalar = e_.type(f64 ? ir::f64 : ir::f32);
  std::vector<llvm::Type*> params(args.size(), scalar);
  const auto f = e_.module_.getOrInsertFunction(std::string(name) + (f64 ? "" : "f"), llvm::FunctionType::get(scalar, params, false));
  if (t_.lanes == 1) return b_.CreateCall(f, args);
  Value* out = llvm::PoisonValue::get(args[0]->getType());
  for (int lane = 0; lane < t_.lanes; ++lane) {
    std::vector<Value*> one;
    for (Value* a : args) one.push_back(b_.CreateExtractElement(a, b_.getInt32(static_cast<unsigned>(lane))));
    out = b_.CreateInsertElement(out, b_.CreateCall(f, one), b_.getInt32(static_cast<unsigned>(lane)));
  }
  return out;
}

llvm::Value* VectorMath::call(ir::Intrinsic f, ir::Type t, const std::vector<Value*>& args) {
  t_ = t.element() == ir::f64 ? t : (t.is_float() ? ir::f32.with_lanes(t.lanes) : t);
  Value* x = args[0];
  const bool own = t_.bits == 32 && t_.is_float();
  switch (f) {
    case I::kAbs: return t.is_float() ? unary(llvm::Intrinsic::fabs, x) : (t.is_uint() ? x : b_.CreateIntrinsic(llvm::Intrinsic::abs, {x->getType()}, {x, b_.getFalse()}));
    case I::kCeil: return unary(llvm::Intrinsic::ceil, x);
    case I::kFloor: return unary(llvm::Intrinsic::floor, x);
    case I::kTrunc: return unary(llvm::Intrinsic::trunc, x);
    case I::kRound: return unary(llvm::Intrinsic::roundeven, x);
    case I::kSqrt: return unary(llvm::Intrinsic::sqrt, x);
    case I::kRsqrt: return b_.CreateFDiv(num(1), unary(llvm::Intrinsic::sqrt, x));
    case I::kFma: return fma(args[0], args[1], args[2]);
    case I::kPopcount: return unary(llvm::Intrinsic::ctpop, x);
    case I::kIsNan: return b_.CreateFCmpUNO(x, x);
    case I::kIsInf: return b_.CreateFCmpOEQ(unary(llvm::Intrinsic::fabs, x), num(HUGE_VAL));
    case I::kIsFinite: return b_.CreateFCmpOLT(unary(llvm::Intrinsic::fabs, x), num(HUGE_VAL));
    case I::kExp: if (own) return exp(x); break;
    case I::kExp2: if (own) return exp2(x); break;
    case I::kLog: if (own) return log(x); break;
    case I::kLog2: if (own) return b_.CreateFMul(log(x), num(1.4426950408889634)); break;
    case I::kTanh: if (own) return tanh(x); break;
    case I::kErf: if (own) return erf(x); break;
    case I::kSigmoid: {
      // e = exp(-|x|) never overflows, so results below the normal range keep their digits.
      Value* least = b_.CreateFNeg(unary(llvm::Intrinsic::fabs, x));
      Value* e = own ? exp(least) : libm("exp", {least});
      Value* top = b_.CreateSelect(b_.CreateFCmpOLT(x, num(0)), e, num(1));
      return b_.CreateFDiv(top, b_.CreateFAdd(num(1), e));
    }
    default: break;
  }
  const char* name = libm_name(f);
  if (name == nullptr) throw CannotCompile{std::string("intrinsic ") + ir::intrinsic_info(f).name + " has no CPU form for " + ir::to_string(t)};
  return libm(name, args);
}

}  // namespace tessera::codegen
