#include "codegen/cuda/prelude/rows.h"

namespace tessera::codegen::cuda {

namespace {

struct Scalar {
  const char* name;
  const char* c_type;
  int bytes;
};
constexpr Scalar kScalars[] = {
    {"i8", "signed char", 1},        {"u8", "unsigned char", 1}, {"i16", "short", 2},
    {"u16", "unsigned short", 2},    {"i32", "int", 4},          {"u32", "unsigned int", 4},
    {"i64", "long long", 8},         {"u64", "unsigned long long", 8},
    {"f32", "float", 4},             {"f64", "double", 8},
};

/// What both 16-bit floats have, for a type NAME with conversions to and from f32. One operation
/// rounded to f32 and then to 16 bits is the operation rounded once: 24 bits are more than twice 11
/// and two.
constexpr const char* kSmallFloat = R"cuda(
TS_DEVICE f32 ts_cast_from(NAME x) { return ts_NAME_to_f32(x); }
template <> struct ts_cast_to<NAME> {
  template <class From> static TS_DEVICE NAME from(From x) { return ts_f32_to_NAME(ts_to_odd(x)); }
};
TS_DEVICE NAME operator+(NAME a, NAME b) { return ts_f32_to_NAME(ts_NAME_to_f32(a) + ts_NAME_to_f32(b)); }
TS_DEVICE NAME operator-(NAME a, NAME b) { return ts_f32_to_NAME(ts_NAME_to_f32(a) - ts_NAME_to_f32(b)); }
TS_DEVICE NAME operator*(NAME a, NAME b) { return ts_f32_to_NAME(ts_NAME_to_f32(a) * ts_NAME_to_f32(b)); }
TS_DEVICE NAME operator/(NAME a, NAME b) { return ts_f32_to_NAME(ts_NAME_to_f32(a) / ts_NAME_to_f32(b)); }
TS_DEVICE NAME operator-(NAME a) { a.bits ^= 0x8000; return a; }
TS_DEVICE bool operator==(NAME a, NAME b) { return ts_NAME_to_f32(a) == ts_NAME_to_f32(b); }
TS_DEVICE bool operator!=(NAME a, NAME b) { return ts_NAME_to_f32(a) != ts_NAME_to_f32(b); }
TS_DEVICE bool operator<(NAME a, NAME b) { return ts_NAME_to_f32(a) < ts_NAME_to_f32(b); }
TS_DEVICE bool operator<=(NAME a, NAME b) { return ts_NAME_to_f32(a) <= ts_NAME_to_f32(b); }
TS_DEVICE bool operator>(NAME a, NAME b) { return ts_NAME_to_f32(a) > ts_NAME_to_f32(b); }
TS_DEVICE bool operator>=(NAME a, NAME b) { return ts_NAME_to_f32(a) >= ts_NAME_to_f32(b); }
)cuda";

constexpr const char* kSmallFloats = R"cuda(
//: f16
struct f16 { u16 bits; };
TS_DEVICE f32 ts_f16_to_f32(f16 x) {
  f32 y;
  asm("cvt.f32.f16 %0, %1;" : "=f"(y) : "h"(x.bits));
  return y;
}
TS_DEVICE f16 ts_f32_to_f16(f32 x) {
  f16 y;
  asm("cvt.rn.f16.f32 %0, %1;" : "=h"(y.bits) : "f"(x));
  return y;
}
//: bf16 sm_80
struct bf16 { u16 bits; };
TS_DEVICE f32 ts_bf16_to_f32(bf16 x) { return __uint_as_float((u32)x.bits << 16); }
TS_DEVICE bf16 ts_f32_to_bf16(f32 x) {
  bf16 y;
  asm("cvt.rn.bf16.f32 %0, %1;" : "=h"(y.bits) : "f"(x));
  return y;
}
)cuda";

constexpr const char* kArrays = R"cuda(
//: ts_vec
template <class T, int N> struct alignas(sizeof(T) * N) ts_vec {
  T at[N];
  TS_DEVICE T& operator[](i32 i) { return at[i]; }
  TS_DEVICE const T& operator[](i32 i) const { return at[i]; }
};
//: ts_local
template <class T, int N> struct ts_local {
  T at[N];
  TS_DEVICE T& operator[](i32 i) { return at[i]; }
  TS_DEVICE const T& operator[](i32 i) const { return at[i]; }
};
)cuda";

}  // namespace

PreludeRows scalar_rows() {
  PreludeRows rows;
  rows.push_back({"TS_DEVICE", "#define TS_DEVICE __device__ __forceinline__\n"});
  for (const Scalar& s : kScalars)
    rows.push_back({s.name, std::string("typedef ") + s.c_type + " " + s.name + ";\n"});
  return rows;
}

PreludeRows vector_rows() {
  PreludeRows rows = read_rows(kSmallFloats);
  for (PreludeRow& row : rows) row.text += with(kSmallFloat, {{"NAME", row.name}});
  for (PreludeRow& row : read_rows(kArrays)) rows.push_back(std::move(row));
  const auto vectors = [&](const std::string& name, int bytes) {
    for (int lanes = 2; lanes * bytes <= 16; lanes *= 2) {
      const std::string n = std::to_string(lanes);
      rows.push_back({name + "x" + n, "typedef ts_vec<" + name + ", " + n + "> " + name + "x" + n + ";\n"});
    }
  };
  for (const Scalar& s : kScalars) vectors(s.name, s.bytes);
  vectors("f16", 2);
  vectors("bf16", 2);
  return rows;
}

}  // namespace tessera::codegen::cuda
