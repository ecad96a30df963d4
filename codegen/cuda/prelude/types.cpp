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

/// Arithmetic of a 16-bit float through f32: one operation rounded twice is the operation rounded
/// once, as 24 bits are more than twice 11 and two.
std::string operators(const std::string& name) {
  const std::string to = "ts_" + name + "_to_f32", from = "ts_f32_to_" + name;
  std::string text;
  for (const char* op : {"+", "-", "*", "/"})
    text += "TS_DEVICE " + name + " operator" + op + "(" + name + " a, " + name + " b) { return " + from + "(" +
            to + "(a) " + op + " " + to + "(b)); }\n";
  text += "TS_DEVICE " + name + " operator-(" + name + " a) { a.bits ^= 0x8000; return a; }\n";
  for (const char* op : {"==", "!=", "<", "<=", ">", ">="})
    text += "TS_DEVICE bool operator" + std::string(op) + "(" + name + " a, " + name + " b) { return " + to +
            "(a) " + op + " " + to + "(b); }\n";
  return text;
}

void add_small_float(PreludeRows& rows, const std::string& name, const std::string& helpers, int arch) {
  const std::string cast = "TS_DEVICE f32 ts_cast_from(" + name + " x) { return ts_" + name + "_to_f32(x); }\n"
                           "template <> struct ts_cast_to<" + name + "> {\n"
                           "  template <class From> static TS_DEVICE " + name + " from(From x) { return ts_f32_to_" + name +
                           "(ts_to_odd(x)); }\n};\n";
  rows.push_back({name, "struct " + name + " { u16 bits; };\n" + helpers + cast + operators(name), arch});
}

}  // namespace

PreludeRows scalar_rows() {
  PreludeRows rows;
  rows.push_back({"TS_DEVICE", "#define TS_DEVICE __device__ __forceinline__\n"});
  for (const Scalar& s : kScalars)
    rows.push_back({s.name, std::string("typedef ") + s.c_type + " " + s.name + ";\n"});
  return rows;
}

PreludeRows vector_rows() {
  PreludeRows rows;
  add_small_float(rows, "f16", R"(TS_DEVICE f32 ts_f16_to_f32(f16 x) {
  f32 y;
  asm("cvt.f32.f16 %0, %1;" : "=f"(y) : "h"(x.bits));
  return y;
}
TS_DEVICE f16 ts_f32_to_f16(f32 x) {
  f16 y;
  asm("cvt.rn.f16.f32 %0, %1;" : "=h"(y.bits) : "f"(x));
  return y;
}
)", 70);
  add_small_float(rows, "bf16", R"(TS_DEVICE f32 ts_bf16_to_f32(bf16 x) { return __uint_as_float((u32)x.bits << 16); }
TS_DEVICE bf16 ts_f32_to_bf16(f32 x) {
  bf16 y;
  asm("cvt.rn.bf16.f32 %0, %1;" : "=h"(y.bits) : "f"(x));
  return y;
}
)", 80);

  rows.push_back({"ts_vec", R"(template <class T, int N> struct alignas(sizeof(T) * N) ts_vec {
  T at[N];
  TS_DEVICE T& operator[](i32 i) { return at[i]; }
  TS_DEVICE const T& operator[](i32 i) const { return at[i]; }
};
)"});
  const auto vectors = [&](const std::string& name, int bytes) {
    for (int lanes = 2; lanes * bytes <= 16; lanes *= 2) {
      const std::string n = std::to_string(lanes);
      rows.push_back({name + "x" + n, "typedef ts_vec<" + name + ", " + n + "> " + name + "x" + n + ";\n"});
    }
  };
  for (const Scalar& s : kScalars) vectors(s.name, s.bytes);
  vectors("f16", 2);
  vectors("bf16", 2);

  rows.push_back({"ts_local", R"(template <class T, int N> struct ts_local {
  T at[N];
  TS_DEVICE T& operator[](i32 i) { return at[i]; }
  TS_DEVICE const T& operator[](i32 i) const { return at[i]; }
};
)"});
  return rows;
}

}  // namespace tessera::codegen::cuda
