#include "runtime/emulator/prelude.h"

namespace tessera::runtime::emulator {

namespace {

constexpr const char* kAbi =
    "struct ts_abi {\n"
#define X(result, name, parameters) #result " (*" #name ")" #parameters ";\n"
#include "runtime/emulator/detail/abi.inc"
#undef X
    "};\n"
    "static const ts_abi* ts;\n"
    "extern \"C\" void ts_attach(const ts_abi* abi) { ts = abi; }\n";

constexpr const char* kTypes = R"(
typedef signed char i8; typedef unsigned char u8; typedef short i16; typedef unsigned short u16;
typedef int i32; typedef unsigned int u32; typedef long long i64; typedef unsigned long long u64;
typedef float f32; typedef double f64;
#define __global__
#define __launch_bounds__(...)
#define TS_LINE int line = __builtin_LINE()
struct f16 { u16 bits; };
struct bf16 { u16 bits; };
template <class To, class From> inline To ts_bits(const From& x) {
  static_assert(sizeof(To) == sizeof(From), "ts_bits keeps the width");
  To to;
  __builtin_memcpy(&to, &x, sizeof to);
  return to;
}
inline f32 ts_cast_from(f16 x) { return ts->f16_to_f32(x.bits); }
inline f32 ts_cast_from(bf16 x) { return ts_bits<f32>((u32)x.bits << 16); }
template <class T> inline T ts_cast_from(T x) { return x; }
inline f32 ts_to_odd(f32 x) { return x; }
template <class T> inline f32 ts_to_odd(T v) {
  const f64 x = (f64)v;
  f32 y = (f32)x;
  if (y != y || (f64)y == x) return y;
  const u32 bits = ts_bits<u32>(y);
  const bool away = (f64)y < x ? (bits >> 31) : !(bits >> 31);
  return ts_bits<f32>((away ? bits - 1 : bits) | 1u);
}
template <class T> struct ts_limits {
  static const bool is_signed = T(-1) < T(0);
  static const T high = is_signed ? T((1ull << (sizeof(T) * 8 - 1)) - 1) : T(~0ull);
  static const T low = is_signed ? T(-high - 1) : T(0);
};
template <class To> inline To ts_clamp_float(f64 x) {
  if (x != x) return To(0);
  if (x <= (f64)ts_limits<To>::low) return ts_limits<To>::low;
  if (x >= (f64)ts_limits<To>::high) return ts_limits<To>::high;
  return (To)x;
}
template <class To> struct ts_cast_to {
  template <class From> static To from(From x) { return (To)x; }
  static To from(f32 x) { return ts_clamp_float<To>(x); }
  static To from(f64 x) { return ts_clamp_float<To>(x); }
};
template <> struct ts_cast_to<f32> { template <class From> static f32 from(From x) { return (f32)x; } };
template <> struct ts_cast_to<f64> { template <class From> static f64 from(From x) { return (f64)x; } };
template <> struct ts_cast_to<f16> {
  template <class From> static f16 from(From x) { return f16{ts->f32_to_f16(ts_to_odd(x))}; }
};
template <> struct ts_cast_to<bf16> {
  template <class From> static bf16 from(From v) {
    const f32 x = ts_to_odd(v);
    const u32 b = ts_bits<u32>(x);
    return bf16{x != x ? (u16)((b >> 16) | 64) : (u16)((b + 0x7fff + ((b >> 16) & 1)) >> 16)};
  }
};
template <class To, class From> inline To ts_cast(From x) { return ts_cast_to<To>::from(ts_cast_from(x)); }
template <class To, class From> inline To ts_clamp_integer(From x) {
  if (ts_limits<From>::is_signed && x < From(0)) {
    if (!ts_limits<To>::is_signed) return To(0);
    return (i64)x < (i64)ts_limits<To>::low ? ts_limits<To>::low : (To)x;
  }
  return (u64)x > (u64)ts_limits<To>::high ? ts_limits<To>::high : (To)x;
}
template <class To> inline To ts_cast_saturate(f32 x) { return ts_clamp_float<To>(x); }
template <class To> inline To ts_cast_saturate(f64 x) { return ts_clamp_float<To>(x); }
template <class To, class From> inline To ts_cast_saturate(From x) { return ts_clamp_integer<To>(x); }
template <class To> inline To ts_cast_round(f32 x) { return ts_clamp_float<To>(__builtin_rint(x)); }
template <class To> inline To ts_cast_round(f64 x) { return ts_clamp_float<To>(__builtin_rint(x)); }
inline u32 ts_pack_f16(f32 lo, f32 hi) { return ts_cast<f16>(lo).bits | (u32)ts_cast<f16>(hi).bits << 16; }
inline u32 ts_pack_bf16(f32 lo, f32 hi) { return ts_cast<bf16>(lo).bits | (u32)ts_cast<bf16>(hi).bits << 16; }
inline u32 ts_round_tf32(f32 x) {
  const u32 b = ts_bits<u32>(x);
  return (b & 0x7f800000u) == 0x7f800000u ? b : (b + 0x1000u) & ~0x1fffu;
}
#define TS_SMALL_OPERATOR(T, op) \
  inline T operator op(T a, T b) { return ts_cast<T>(ts_cast_from(a) op ts_cast_from(b)); }
#define TS_SMALL_COMPARE(T, op) inline bool operator op(T a, T b) { return ts_cast_from(a) op ts_cast_from(b); }
#define TS_SMALL_FLOAT(T) \
  TS_SMALL_OPERATOR(T, +) TS_SMALL_OPERATOR(T, -) TS_SMALL_OPERATOR(T, *) TS_SMALL_OPERATOR(T, /) \
  inline T operator-(T a) { a.bits ^= 0x8000; return a; } \
  TS_SMALL_COMPARE(T, ==) TS_SMALL_COMPARE(T, !=) TS_SMALL_COMPARE(T, <) TS_SMALL_COMPARE(T, <=) \
  TS_SMALL_COMPARE(T, >) TS_SMALL_COMPARE(T, >=)
TS_SMALL_FLOAT(f16)
TS_SMALL_FLOAT(bf16)
struct ts_index {
  i64 value;
  int line;
  ts_index(i64 v, TS_LINE) : value(v), line(line) {}
};
template <class T, int N> struct alignas(sizeof(T) * N) ts_vec {
  T at[N];
  T& operator[](ts_index i) {
    if ((u64)i.value >= N) ts->bad_index(i.value, N, i.line);
    return at[(u64)i.value % N];
  }
  const T& operator[](ts_index i) const { return const_cast<ts_vec&>(*this)[i]; }
};
#define TS_VECTOR(T, N) typedef ts_vec<T, N> T##x##N;
#define TS_VECTORS_8(T) TS_VECTOR(T, 2)
#define TS_VECTORS_4(T) TS_VECTORS_8(T) TS_VECTOR(T, 4)
#define TS_VECTORS_2(T) TS_VECTORS_4(T) TS_VECTOR(T, 8)
#define TS_VECTORS_1(T) TS_VECTORS_2(T) TS_VECTOR(T, 16)
TS_VECTORS_1(i8) TS_VECTORS_1(u8) TS_VECTORS_2(i16) TS_VECTORS_2(u16) TS_VECTORS_2(f16) TS_VECTORS_2(bf16)
TS_VECTORS_4(i32) TS_VECTORS_4(u32) TS_VECTORS_4(f32) TS_VECTORS_8(i64) TS_VECTORS_8(u64) TS_VECTORS_8(f64)
template <class T, int N> struct ts_local {
  T at[N];
  ts_local() { __builtin_memset(static_cast<void*>(at), 0xff, sizeof at); }
  T& operator[](ts_index i) {
    if ((u64)i.value >= N) ts->bad_index(i.value, N, i.line);
    return at[(u64)i.value % N];
  }
  const T& operator[](ts_index i) const { return const_cast<ts_local&>(*this)[i]; }
  T* range(i64 first, i64 count, int line) {
    const bool inside = first >= 0 && first + count <= N;
    if (!inside) ts->bad_index(first < 0 ? first : first + count - 1, N, line);
    return at + (inside ? first : 0);
  }
  const T* range(i64 first, i64 count, int line) const {
    return const_cast<ts_local&>(*this).range(first, count, line);
  }
};
)";

constexpr const char* kFunctions = R"(
inline i32 ts_thread_x() { return ts->coordinate(0); }
inline i32 ts_thread_y() { return ts->coordinate(1); }
inline i32 ts_thread_z() { return ts->coordinate(2); }
inline i32 ts_block_x() { return ts->coordinate(3); }
inline i32 ts_block_y() { return ts->coordinate(4); }
inline i32 ts_block_z() { return ts->coordinate(5); }
inline i32 ts_grid_x() { return ts->coordinate(6); }
inline i32 ts_grid_y() { return ts->coordinate(7); }
inline i32 ts_grid_z() { return ts->coordinate(8); }
template <class T> inline T* ts_shared(i32 offset) { return reinterpret_cast<T*>(ts->arena() + offset); }
#define TS_LOAD(name, space) \
  template <class V, class T> inline V name(const T* p, TS_LINE) { \
    V v; \
    ts->load(p, sizeof v, space, &v, line); \
    return v; \
  }
#define TS_STORE(name, space) \
  template <class T, class V> inline void name(T* p, const V& v, TS_LINE) { \
    ts->store(p, sizeof v, space, &v, line); \
  }
TS_LOAD(ts_load_global, 0)
TS_LOAD(ts_load_global_nc, 2)
TS_LOAD(ts_load_global_stream, 2)
TS_LOAD(ts_load_shared, 1)
TS_STORE(ts_store_global, 0)
TS_STORE(ts_store_global_stream, 0)
TS_STORE(ts_store_shared, 1)
template <int BYTES, class T> inline void ts_async_copy(T* to, const T* from, bool take, TS_LINE) {
  static_assert(BYTES == 4 || BYTES == 8 || BYTES == 16, "asynchronous copies are of 4, 8 or 16 bytes");
  ts->async_copy(to, from, BYTES, take, line);
}
inline void ts_async_commit() { ts->async_commit(); }
template <int N> inline void ts_async_wait(TS_LINE) { ts->async_wait(N, line); }
inline void ts_sync_block(TS_LINE) { ts->sync_block(line); }
template <int ID, int THREADS> inline void ts_sync_named(TS_LINE) { ts->sync_named(ID, THREADS, line); }
inline void ts_sync_warp(u32 mask, TS_LINE) { ts->sync_warp(mask, line); }
template <class T> inline T ts_shuffle_as(int kind, u32 mask, T v, i32 lane, int line) {
  static_assert(sizeof(T) == 4 || sizeof(T) == 8, "shuffles take 32 or 64 bits");
  u64 wide = 0;
  __builtin_memcpy(&wide, &v, sizeof v);
  wide = ts->shuffle(kind, mask, wide, lane, line);
  __builtin_memcpy(&v, &wide, sizeof v);
  return v;
}
template <class T> inline T ts_shuffle(u32 mask, T v, i32 lane, TS_LINE) {
  return ts_shuffle_as(0, mask, v, lane, line);
}
template <class T> inline T ts_shuffle_xor(u32 mask, T v, i32 bits, TS_LINE) {
  return ts_shuffle_as(1, mask, v, bits, line);
}
template <class T> inline T ts_shuffle_down(u32 mask, T v, i32 by, TS_LINE) {
  return ts_shuffle_as(2, mask, v, by, line);
}
template <class T> inline T ts_shuffle_up(u32 mask, T v, i32 by, TS_LINE) {
  return ts_shuffle_as(3, mask, v, by, line);
}
inline u32 ts_ballot(u32 mask, bool p, TS_LINE) { return ts->ballot(mask, p, line); }
#define TS_LDMATRIX(name, matrices, transposed) \
  template <int N, class T> inline void name(ts_local<u32, N>& to, i32 at, const T* row, TS_LINE) { \
    ts->ldmatrix(matrices, transposed, row, to.range(at, matrices, line), line); \
  }
TS_LDMATRIX(ts_ldmatrix_x1, 1, 0)
TS_LDMATRIX(ts_ldmatrix_x2, 2, 0)
TS_LDMATRIX(ts_ldmatrix_x4, 4, 0)
TS_LDMATRIX(ts_ldmatrix_x1_trans, 1, 1)
TS_LDMATRIX(ts_ldmatrix_x2_trans, 2, 1)
TS_LDMATRIX(ts_ldmatrix_x4_trans, 4, 1)
#define TS_MMA(name, kind, C, sums) \
  template <int NC, int NA, int NB> inline void name(ts_local<C, NC>& c, i32 ci, const ts_local<u32, NA>& a, \
                                                     i32 ai, const ts_local<u32, NB>& b, i32 bi, TS_LINE) { \
    ts->mma(kind, c.range(ci, sums, line), a.range(ai, 4, line), b.range(bi, 2, line), line); \
  }
TS_MMA(ts_mma_m16n8k16_f16, 0, f32, 4)
TS_MMA(ts_mma_m16n8k16_bf16, 1, f32, 4)
TS_MMA(ts_mma_m16n8k16_f16_f16, 2, u32, 2)
TS_MMA(ts_mma_m16n8k8_tf32, 3, f32, 4)
TS_MMA(ts_mma_m16n8k32_s8, 4, i32, 4)
template <class T> struct ts_type;
template <> struct ts_type<f32> { static const int value = 0; };
template <> struct ts_type<f64> { static const int value = 1; };
template <> struct ts_type<i32> { static const int value = 2; };
template <> struct ts_type<u32> { static const int value = 3; };
template <> struct ts_type<u64> { static const int value = 4; };
#define TS_ATOMIC(name, op, space) \
  template <class T> inline T name(T* p, T v, TS_LINE) { \
    T old; \
    ts->atomic(op, ts_type<T>::value, space, p, &v, &old, line); \
    return old; \
  }
TS_ATOMIC(ts_atomic_add_global, 0, 0)
TS_ATOMIC(ts_atomic_max_global, 1, 0)
TS_ATOMIC(ts_atomic_min_global, 2, 0)
TS_ATOMIC(ts_atomic_add_shared, 0, 1)
TS_ATOMIC(ts_atomic_max_shared, 1, 1)
TS_ATOMIC(ts_atomic_min_shared, 2, 1)
TS_ATOMIC(ts_atomic_exchange_global, 4, 0)
struct ts_counted {
  u32* counter;
  ts_counted* next;
  ts_counted(u32* c);
};
static ts_counted* ts_first_counted;
inline ts_counted::ts_counted(u32* c) : counter(c), next(ts_first_counted) { ts_first_counted = this; }
#define ts_counter(name) static u32 name; static ts_counted ts_counted_##name(&name)
inline u32 ts_atomic_inc_global(u32* p, u32 last, TS_LINE) {
  u32 old;
  ts->atomic(3, 3, 0, p, &last, &old, line);
  return old;
}
inline void ts_fence_gpu(TS_LINE) { ts->fence(1, line); }
inline void ts_fence_block(TS_LINE) { ts->fence(0, line); }
inline u32 ts_load_acquire(const u32* p, TS_LINE) { return ts->load_acquire(p, line); }
inline void ts_store_release(u32* p, u32 v, TS_LINE) { ts->store_release(p, v, line); }
inline void ts_wait_equal(const u32* p, u32 v, TS_LINE) { ts->wait_equal(p, v, line); }
inline void ts_trap(TS_LINE) { ts->trap(line); }
template <class T> inline T ts_min(T a, T b) { return a < b ? a : b; }
template <class T> inline T ts_max(T a, T b) { return b < a ? a : b; }
inline f32 ts_fma(f32 a, f32 b, f32 c) { return __builtin_fmaf(a, b, c); }
inline f64 ts_fma(f64 a, f64 b, f64 c) { return __builtin_fma(a, b, c); }
#define TS_REAL(name, expression) \
  inline f64 name(f64 x) { return expression; } \
  inline f32 name(f32 x) { return (f32)name((f64)x); }
#define TS_REAL_2(name, expression) \
  inline f64 name(f64 x, f64 y) { return expression; } \
  inline f32 name(f32 x, f32 y) { return (f32)name((f64)x, (f64)y); }
TS_REAL(ts_abs, __builtin_fabs(x))
template <class T> inline T ts_abs(T x) { return x < T(0) ? T(0) - x : x; }
TS_REAL(ts_ceil, __builtin_ceil(x))
TS_REAL(ts_cos, __builtin_cos(x))
TS_REAL(ts_erf, __builtin_erf(x))
TS_REAL(ts_exp, __builtin_exp(x))
TS_REAL(ts_exp2, __builtin_exp2(x))
TS_REAL(ts_floor, __builtin_floor(x))
TS_REAL(ts_log, __builtin_log(x))
TS_REAL(ts_log2, __builtin_log2(x))
TS_REAL(ts_round, __builtin_rint(x))
TS_REAL(ts_rsqrt, 1.0 / __builtin_sqrt(x))
TS_REAL(ts_sigmoid,
        x >= 0 ? 1.0 / (1.0 + __builtin_exp(-x)) : __builtin_exp(x) / (1.0 + __builtin_exp(x)))
TS_REAL(ts_sin, __builtin_sin(x))
TS_REAL(ts_sqrt, __builtin_sqrt(x))
TS_REAL(ts_tanh, __builtin_tanh(x))
TS_REAL(ts_trunc, __builtin_trunc(x))
TS_REAL_2(ts_fmod, __builtin_fmod(x, y))
TS_REAL_2(ts_pow, __builtin_pow(x, y))
template <class T> inline bool ts_is_nan(T x) { return x != x; }
template <class T> inline bool ts_is_inf(T x) { return x == x && x - x != x - x; }
template <class T> inline bool ts_is_finite(T x) { return x - x == x - x; }
inline i32 ts_popcount(u32 x) { return __builtin_popcount(x); }
inline i32 ts_popcount(i32 x) { return __builtin_popcount((u32)x); }
inline i32 ts_popcount(u64 x) { return __builtin_popcountll(x); }
inline i32 ts_popcount(i64 x) { return __builtin_popcountll((u64)x); }
template <class T> inline T ts_floor_div(T a, T b) {
  const T q = a / b;
  return q * b != a && (a < T(0)) != (b < T(0)) ? q - T(1) : q;
}
template <class T> inline T ts_floor_mod(T a, T b) {
  const T r = a % b;
  return r != T(0) && (r < T(0)) != (b < T(0)) ? r + b : r;
}
)";

// Arguments come as an array of addresses of their values; a pack of indices is made by recursion
// to need no header.
constexpr const char* kEntry = R"(
template <int... I> struct ts_indices {};
template <int N, int... I> struct ts_make_indices : ts_make_indices<N - 1, N - 1, I...> {};
template <int... I> struct ts_make_indices<0, I...> { typedef ts_indices<I...> type; };
template <class... A, int... I> inline void ts_call(void (*kernel)(A...), void** arguments, ts_indices<I...>) {
  kernel(*static_cast<A*>(arguments[I])...);
}
template <class... A> inline void ts_invoke(void (*kernel)(A...), void** arguments) {
  ts_call(kernel, arguments, typename ts_make_indices<sizeof...(A)>::type());
}
template <class... A> constexpr int ts_arity(void (*)(A...)) { return sizeof...(A); }
)";

}  // namespace

std::string emulation_prelude() {
  return std::string(kAbi) + kTypes + kFunctions + "#line 1 \"kernel\"\n";
}

std::string emulation_epilogue(std::string_view entry) {
  const std::string name(entry);
  return std::string("\n#line 1 \"entry\"\n") + kEntry + "extern \"C\" int ts_arguments() { return ts_arity(&" +
         name + "); }\nextern \"C\" void ts_emulated_entry(void** arguments) { ts_invoke(&" + name +
         ", arguments); }\nextern \"C\" u32* ts_counter_at(int i) {\n  ts_counted* c = ts_first_counted;\n"
         "  while (c != nullptr && i-- > 0) c = c->next;\n  return c != nullptr ? c->counter : nullptr;\n}\n";
}

}  // namespace tessera::runtime::emulator
