#include "codegen/cuda/prelude/rows.h"

namespace tessera::codegen::cuda {

namespace {

/// A function of f32 and f64 in terms of what NVRTC knows without a header.
PreludeRow real_row(const std::string& name, const std::string& arguments, const std::string& f32_body,
                    const std::string& f64_body, const std::string& result = "") {
  const auto one = [&](const std::string& type, const std::string& body) {
    std::string parameters;
    for (const char a : arguments) parameters += (parameters.empty() ? "" : ", ") + type + " " + a;
    return "TS_DEVICE " + (result.empty() ? type : result) + " " + name + "(" + parameters + ") { return " + body +
           "; }\n";
  };
  return {name, one("f32", f32_body) + one("f64", f64_body)};
}

PreludeRow unary_row(const std::string& function) {
  return real_row("ts_" + function, "x", function + "f(x)", function + "(x)");
}

}  // namespace

PreludeRows math_rows() {
  PreludeRows rows;
  rows.push_back({"ts_min", "template <class T> TS_DEVICE T ts_min(T a, T b) { return a < b ? a : b; }\n"});
  rows.push_back({"ts_max", "template <class T> TS_DEVICE T ts_max(T a, T b) { return b < a ? a : b; }\n"});
  rows.push_back(real_row("ts_fma", "abc", "fmaf(a, b, c)", "fma(a, b, c)"));
  rows.push_back(real_row("ts_abs", "x", "fabsf(x)", "fabs(x)"));
  rows.back().text += "template <class T> TS_DEVICE T ts_abs(T x) { return x < T(0) ? T(0) - x : x; }\n";
  for (const char* name : {"ceil", "cos", "erf", "exp", "exp2", "floor", "log", "log2", "sin", "sqrt", "tanh", "trunc"})
    rows.push_back(unary_row(name));
  rows.push_back(real_row("ts_round", "x", "rintf(x)", "rint(x)"));
  rows.push_back(real_row("ts_rsqrt", "x", "rsqrtf(x)", "rsqrt(x)"));
  rows.push_back(real_row("ts_sigmoid", "x", "1.0f / (1.0f + expf(-x))", "1.0 / (1.0 + exp(-x))"));
  rows.push_back(real_row("ts_fmod", "xy", "fmodf(x, y)", "fmod(x, y)"));
  rows.push_back(real_row("ts_pow", "xy", "powf(x, y)", "pow(x, y)"));
  rows.push_back(real_row("ts_is_nan", "x", "x != x", "x != x", "bool"));
  rows.push_back(real_row("ts_is_inf", "x", "fabsf(x) == __int_as_float(0x7f800000)",
                          "fabs(x) == __longlong_as_double(0x7ff0000000000000ll)", "bool"));
  rows.push_back(real_row("ts_is_finite", "x", "fabsf(x) < __int_as_float(0x7f800000)",
                          "fabs(x) < __longlong_as_double(0x7ff0000000000000ll)", "bool"));
  rows.push_back({"ts_popcount", R"(TS_DEVICE i32 ts_popcount(u32 x) { return __popc(x); }
TS_DEVICE i32 ts_popcount(i32 x) { return __popc((u32)x); }
TS_DEVICE i32 ts_popcount(u64 x) { return __popcll(x); }
TS_DEVICE i32 ts_popcount(i64 x) { return __popcll((u64)x); }
)"});
  rows.push_back({"ts_floor_div", R"(template <class T> TS_DEVICE T ts_floor_div(T a, T b) {
  const T q = a / b;
  return q * b != a && (a < T(0)) != (b < T(0)) ? q - T(1) : q;
}
)"});
  rows.push_back({"ts_floor_mod", R"(template <class T> TS_DEVICE T ts_floor_mod(T a, T b) {
  const T r = a % b;
  return r != T(0) && (r < T(0)) != (b < T(0)) ? r + b : r;
}
)"});
  return rows;
}

}  // namespace tessera::codegen::cuda
