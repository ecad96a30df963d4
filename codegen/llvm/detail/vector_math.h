// Elementary functions as instructions on whole vectors. LLVM's own vector intrinsics become one
// libm call a lane (16 times slower); these are polynomials with stated error bounds, held by
// tests/unit/codegen/vector_math_test.cpp.
#pragma once

#include "codegen/llvm/detail/emitter.h"
#include "ir/intrinsics.h"

namespace tessera::codegen {

class VectorMath {
 public:
  explicit VectorMath(Emitter& e) : e_(e), b_(e.b_) {}

  /// f(args) for arguments of type `t` (f16 and bf16 arrive as f32). exp, exp2, log, log2, tanh, erf
  /// and sigmoid of f32 are ours; their f64 forms, sin, cos, pow and fmod call libm lane by lane.
  llvm::Value* call(ir::Intrinsic f, ir::Type t, const std::vector<llvm::Value*>& args);

 private:
  using Value = llvm::Value;
  Value* exp(Value* x);                   // at most 2 ulp
  Value* exp2(Value* x);                  // at most 2 ulp
  Value* log(Value* x);                   // at most 2 ulp
  Value* tanh(Value* x);                  // at most 4 ulp
  Value* erf(Value* x);                   // at most 4 ulp
  Value* scale_by_power(Value* p, Value* n);  // p * 2^n, n an integer-valued float; gradual underflow
  Value* poly(Value* x, std::initializer_list<double> coefficients);  // Horner, highest first
  Value* fma(Value* a, Value* b, Value* c);
  Value* unary(llvm::Intrinsic::ID id, Value* x);
  Value* keep_nan(Value* x, Value* result);
  Value* num(double v) const { return e_.number(t_, v); }
  Value* libm(const char* name, const std::vector<Value*>& args);
  llvm::Type* ints() const;

  Emitter& e_;
  llvm::IRBuilder<>& b_;
  ir::Type t_ = ir::f32;
};

}  // namespace tessera::codegen
