#include "codegen/cuda/prelude/rows.h"

namespace tessera::codegen::cuda {

// In terms of what NVRTC and nvcc know without a header; without fast-math, so sqrt and division
// round correctly.
PreludeRows math_rows() {
  return read_rows(R"cuda(
//: ts_min
template <class T> TS_DEVICE T ts_min(T a, T b) { return a < b ? a : b; }
//: ts_max
template <class T> TS_DEVICE T ts_max(T a, T b) { return b < a ? a : b; }
//: ts_fma
TS_DEVICE f32 ts_fma(f32 a, f32 b, f32 c) { return fmaf(a, b, c); }
TS_DEVICE f64 ts_fma(f64 a, f64 b, f64 c) { return fma(a, b, c); }
//: ts_abs
TS_DEVICE f32 ts_abs(f32 x) { return fabsf(x); }
TS_DEVICE f64 ts_abs(f64 x) { return fabs(x); }
template <class T> TS_DEVICE T ts_abs(T x) { return x < T(0) ? T(0) - x : x; }
//: ts_ceil
TS_DEVICE f32 ts_ceil(f32 x) { return ceilf(x); }
TS_DEVICE f64 ts_ceil(f64 x) { return ceil(x); }
//: ts_cos
TS_DEVICE f32 ts_cos(f32 x) { return cosf(x); }
TS_DEVICE f64 ts_cos(f64 x) { return cos(x); }
//: ts_erf
TS_DEVICE f32 ts_erf(f32 x) { return erff(x); }
TS_DEVICE f64 ts_erf(f64 x) { return erf(x); }
//: ts_exp
TS_DEVICE f32 ts_exp(f32 x) { return expf(x); }
TS_DEVICE f64 ts_exp(f64 x) { return exp(x); }
//: ts_exp2
TS_DEVICE f32 ts_exp2(f32 x) { return exp2f(x); }
TS_DEVICE f64 ts_exp2(f64 x) { return exp2(x); }
//: ts_floor
TS_DEVICE f32 ts_floor(f32 x) { return floorf(x); }
TS_DEVICE f64 ts_floor(f64 x) { return floor(x); }
//: ts_log
TS_DEVICE f32 ts_log(f32 x) { return logf(x); }
TS_DEVICE f64 ts_log(f64 x) { return log(x); }
//: ts_log2
TS_DEVICE f32 ts_log2(f32 x) { return log2f(x); }
TS_DEVICE f64 ts_log2(f64 x) { return log2(x); }
//: ts_sin
TS_DEVICE f32 ts_sin(f32 x) { return sinf(x); }
TS_DEVICE f64 ts_sin(f64 x) { return sin(x); }
//: ts_sqrt
TS_DEVICE f32 ts_sqrt(f32 x) { return sqrtf(x); }
TS_DEVICE f64 ts_sqrt(f64 x) { return sqrt(x); }
//: ts_tanh
TS_DEVICE f32 ts_tanh(f32 x) { return tanhf(x); }
TS_DEVICE f64 ts_tanh(f64 x) { return tanh(x); }
//: ts_trunc
TS_DEVICE f32 ts_trunc(f32 x) { return truncf(x); }
TS_DEVICE f64 ts_trunc(f64 x) { return trunc(x); }
//: ts_round
TS_DEVICE f32 ts_round(f32 x) { return rintf(x); }
TS_DEVICE f64 ts_round(f64 x) { return rint(x); }
//: ts_rsqrt
TS_DEVICE f32 ts_rsqrt(f32 x) { return rsqrtf(x); }
TS_DEVICE f64 ts_rsqrt(f64 x) { return rsqrt(x); }
//: ts_sigmoid
TS_DEVICE f32 ts_sigmoid(f32 x) { return 1.0f / (1.0f + expf(-x)); }
TS_DEVICE f64 ts_sigmoid(f64 x) { return 1.0 / (1.0 + exp(-x)); }
//: ts_fmod
TS_DEVICE f32 ts_fmod(f32 x, f32 y) { return fmodf(x, y); }
TS_DEVICE f64 ts_fmod(f64 x, f64 y) { return fmod(x, y); }
//: ts_pow
TS_DEVICE f32 ts_pow(f32 x, f32 y) { return powf(x, y); }
TS_DEVICE f64 ts_pow(f64 x, f64 y) { return pow(x, y); }
//: ts_is_nan
TS_DEVICE bool ts_is_nan(f32 x) { return x != x; }
TS_DEVICE bool ts_is_nan(f64 x) { return x != x; }
//: ts_is_inf
TS_DEVICE bool ts_is_inf(f32 x) { return fabsf(x) == __int_as_float(0x7f800000); }
TS_DEVICE bool ts_is_inf(f64 x) { return fabs(x) == __longlong_as_double(0x7ff0000000000000ll); }
//: ts_is_finite
TS_DEVICE bool ts_is_finite(f32 x) { return fabsf(x) < __int_as_float(0x7f800000); }
TS_DEVICE bool ts_is_finite(f64 x) { return fabs(x) < __longlong_as_double(0x7ff0000000000000ll); }
//: ts_popcount
TS_DEVICE i32 ts_popcount(u32 x) { return __popc(x); }
TS_DEVICE i32 ts_popcount(i32 x) { return __popc((u32)x); }
TS_DEVICE i32 ts_popcount(u64 x) { return __popcll(x); }
TS_DEVICE i32 ts_popcount(i64 x) { return __popcll((u64)x); }
//: ts_floor_div
template <class T> TS_DEVICE T ts_floor_div(T a, T b) {
  const T q = a / b;
  return q * b != a && (a < T(0)) != (b < T(0)) ? q - T(1) : q;
}
//: ts_floor_mod
template <class T> TS_DEVICE T ts_floor_mod(T a, T b) {
  const T r = a % b;
  return r != T(0) && (r < T(0)) != (b < T(0)) ? r + b : r;
}
)cuda");
}

}  // namespace tessera::codegen::cuda
