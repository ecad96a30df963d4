#include "codegen/cuda/prelude/rows.h"

namespace tessera::codegen::cuda {

// ts_cast<To>(x) is ts_cast_to<To>::from(ts_cast_from(x)): the rows of the 16-bit floats add their
// two halves. What is wider than f32 becomes a 16-bit float through an f32 rounded to odd, so that it
// is rounded once.
PreludeRows conversion_rows() {
  return read_rows(R"cuda(
//: ts_bits
template <class To, class From> TS_DEVICE To ts_bits(const From& x) {
  static_assert(sizeof(To) == sizeof(From), "ts_bits keeps the width");
  union { From from; To to; } u;
  u.from = x;
  return u.to;
}
//: ts_to_odd
template <class T> TS_DEVICE f32 ts_to_odd(T v) {
  const f64 x = (f64)v;
  const f32 y = __double2float_rz(x);
  return (f64)y != x ? __uint_as_float(__float_as_uint(y) | 1u) : y;
}
TS_DEVICE f32 ts_to_odd(f32 x) { return x; }
//: ts_limits
template <class T> struct ts_limits {
  static const bool is_signed = T(-1) < T(0);
  static const T high = is_signed ? T((1ull << (sizeof(T) * 8 - 1)) - 1) : T(~0ull);
  static const T low = is_signed ? T(-high - 1) : T(0);
};
//: ts_clamp_float
template <class To> TS_DEVICE To ts_clamp_float(f64 x) {
  if (x != x) return To(0);
  if (x <= (f64)ts_limits<To>::low) return ts_limits<To>::low;
  if (x >= (f64)ts_limits<To>::high) return ts_limits<To>::high;
  return (To)x;
}
template <class To> TS_DEVICE To ts_clamp_float(f32 x) {
  if (x != x) return To(0);
  if (x <= (f32)ts_limits<To>::low) return ts_limits<To>::low;
  if (x >= (f32)ts_limits<To>::high) return ts_limits<To>::high;
  return (To)x;
}
//: ts_cast_to
template <class To> struct ts_cast_to {
  template <class From> static TS_DEVICE To from(From x) { return (To)x; }
  static TS_DEVICE To from(f32 x) { return ts_clamp_float<To>(x); }
  static TS_DEVICE To from(f64 x) { return ts_clamp_float<To>(x); }
};
template <> struct ts_cast_to<f32> {
  template <class From> static TS_DEVICE f32 from(From x) { return (f32)x; }
};
template <> struct ts_cast_to<f64> {
  template <class From> static TS_DEVICE f64 from(From x) { return (f64)x; }
};
//: ts_cast
template <class T> TS_DEVICE T ts_cast_from(T x) { return x; }
template <class To, class From> TS_DEVICE To ts_cast(From x) {
  return ts_cast_to<To>::from(ts_cast_from(x));
}
//: ts_cast_saturate
template <class To, class From> TS_DEVICE To ts_clamp_integer(From x) {
  if (ts_limits<From>::is_signed && x < From(0)) {
    if (!ts_limits<To>::is_signed) return To(0);
    return (i64)x < (i64)ts_limits<To>::low ? ts_limits<To>::low : (To)x;
  }
  return (u64)x > (u64)ts_limits<To>::high ? ts_limits<To>::high : (To)x;
}
template <class To> TS_DEVICE To ts_cast_saturate(f32 x) { return ts_clamp_float<To>(x); }
template <class To> TS_DEVICE To ts_cast_saturate(f64 x) { return ts_clamp_float<To>(x); }
template <class To, class From> TS_DEVICE To ts_cast_saturate(From x) {
  return ts_clamp_integer<To>(x);
}
//: ts_cast_round
template <class To> TS_DEVICE To ts_cast_round(f32 x) { return ts_clamp_float<To>(rintf(x)); }
template <class To> TS_DEVICE To ts_cast_round(f64 x) { return ts_clamp_float<To>(rint(x)); }
//: ts_pack_f16 sm_80
TS_DEVICE u32 ts_pack_f16(f32 lo, f32 hi) {
  u32 v;
  asm("cvt.rn.f16x2.f32 %0, %1, %2;" : "=r"(v) : "f"(hi), "f"(lo));
  return v;
}
//: ts_pack_bf16 sm_80
TS_DEVICE u32 ts_pack_bf16(f32 lo, f32 hi) {
  u32 v;
  asm("cvt.rn.bf16x2.f32 %0, %1, %2;" : "=r"(v) : "f"(hi), "f"(lo));
  return v;
}
//: ts_round_tf32 sm_80
TS_DEVICE u32 ts_round_tf32(f32 x) {
  u32 v;
  asm("cvt.rna.tf32.f32 %0, %1;" : "=r"(v) : "f"(x));
  return v;
}
)cuda");
}

}  // namespace tessera::codegen::cuda
