#include "codegen/cuda/prelude/rows.h"

namespace tessera::codegen::cuda {

// Every access of a width has one type whatever it holds (ts_raw), so that no two differ by type to
// the compiler's alias analysis. Loads of what does not change are inline PTX that is not volatile:
// the compiler may move them.
PreludeRows memory_rows() {
  return read_rows(R"cuda(
//: ts_thread_x
TS_DEVICE i32 ts_thread_x() { return (i32)threadIdx.x; }
//: ts_block_x
TS_DEVICE i32 ts_block_x() { return (i32)blockIdx.x; }
//: ts_grid_x
TS_DEVICE i32 ts_grid_x() { return (i32)gridDim.x; }
//: ts_thread_y
TS_DEVICE i32 ts_thread_y() { return (i32)threadIdx.y; }
//: ts_block_y
TS_DEVICE i32 ts_block_y() { return (i32)blockIdx.y; }
//: ts_grid_y
TS_DEVICE i32 ts_grid_y() { return (i32)gridDim.y; }
//: ts_thread_z
TS_DEVICE i32 ts_thread_z() { return (i32)threadIdx.z; }
//: ts_block_z
TS_DEVICE i32 ts_block_z() { return (i32)blockIdx.z; }
//: ts_grid_z
TS_DEVICE i32 ts_grid_z() { return (i32)gridDim.z; }
//: ts_arena
extern __shared__ __align__(1024) u8 ts_arena[];
//: ts_shared
template <class T> TS_DEVICE T* ts_shared(i32 offset) {
  return reinterpret_cast<T*>(ts_arena + offset);
}
//: ts_raw
template <int BYTES> struct ts_raw;
template <> struct ts_raw<1> { typedef u8 type; };
template <> struct ts_raw<2> { typedef u16 type; };
template <> struct ts_raw<4> { typedef u32 type; };
template <> struct ts_raw<8> { typedef uint2 type; };
template <> struct ts_raw<16> { typedef uint4 type; };
//: ts_pun
template <class V> union ts_pun { typename ts_raw<sizeof(V)>::type raw; V value; };
//: ts_plain_load
template <class V> TS_DEVICE V ts_plain_load(const void* p) {
  ts_pun<V> x;
  x.raw = *static_cast<const typename ts_raw<sizeof(V)>::type*>(p);
  return x.value;
}
//: ts_plain_store
template <class V> TS_DEVICE void ts_plain_store(void* p, const V& v) {
  ts_pun<V> x;
  x.value = v;
  *static_cast<typename ts_raw<sizeof(V)>::type*>(p) = x.raw;
}
//: ts_load_global
template <class V, class T> TS_DEVICE V ts_load_global(const T* p) { return ts_plain_load<V>(p); }
//: ts_load_global_nc
TS_DEVICE void ts_load_nc(u8& r, const void* p) {
  u16 x;
  asm("ld.global.nc.u8 %0, [%1];" : "=h"(x) : "l"(p));
  r = (u8)x;
}
TS_DEVICE void ts_load_nc(u16& r, const void* p) {
  asm("ld.global.nc.u16 %0, [%1];" : "=h"(r) : "l"(p));
}
TS_DEVICE void ts_load_nc(u32& r, const void* p) {
  asm("ld.global.nc.u32 %0, [%1];" : "=r"(r) : "l"(p));
}
TS_DEVICE void ts_load_nc(uint2& r, const void* p) {
  asm("ld.global.nc.v2.u32 {%0, %1}, [%2];" : "=r"(r.x), "=r"(r.y) : "l"(p));
}
TS_DEVICE void ts_load_nc(uint4& r, const void* p) {
  asm("ld.global.nc.v4.u32 {%0, %1, %2, %3}, [%4];"
       : "=r"(r.x), "=r"(r.y), "=r"(r.z), "=r"(r.w) : "l"(p));
}
template <class V, class T> TS_DEVICE V ts_load_global_nc(const T* p) {
  ts_pun<V> x;
  ts_load_nc(x.raw, p);
  return x.value;
}
//: ts_load_global_stream
TS_DEVICE void ts_load_once(u8& r, const void* p) {
  u16 x;
  asm("ld.global.nc.L1::no_allocate.u8 %0, [%1];" : "=h"(x) : "l"(p));
  r = (u8)x;
}
TS_DEVICE void ts_load_once(u16& r, const void* p) {
  asm("ld.global.nc.L1::no_allocate.u16 %0, [%1];" : "=h"(r) : "l"(p));
}
TS_DEVICE void ts_load_once(u32& r, const void* p) {
  asm("ld.global.nc.L1::no_allocate.u32 %0, [%1];" : "=r"(r) : "l"(p));
}
TS_DEVICE void ts_load_once(uint2& r, const void* p) {
  asm("ld.global.nc.L1::no_allocate.v2.u32 {%0, %1}, [%2];" : "=r"(r.x), "=r"(r.y) : "l"(p));
}
TS_DEVICE void ts_load_once(uint4& r, const void* p) {
  asm("ld.global.nc.L1::no_allocate.v4.u32 {%0, %1, %2, %3}, [%4];"
       : "=r"(r.x), "=r"(r.y), "=r"(r.z), "=r"(r.w) : "l"(p));
}
template <class V, class T> TS_DEVICE V ts_load_global_stream(const T* p) {
  ts_pun<V> x;
  ts_load_once(x.raw, p);
  return x.value;
}
//: ts_store_global
template <class T, class V> TS_DEVICE void ts_store_global(T* p, const V& v) {
  ts_plain_store<V>(p, v);
}
//: ts_store_global_stream
TS_DEVICE void ts_store_once(u8 r, void* p) {
  asm volatile("st.global.cs.u8 [%0], %1;" :: "l"(p), "h"((u16)r) : "memory");
}
TS_DEVICE void ts_store_once(u16 r, void* p) {
  asm volatile("st.global.cs.u16 [%0], %1;" :: "l"(p), "h"(r) : "memory");
}
TS_DEVICE void ts_store_once(u32 r, void* p) {
  asm volatile("st.global.cs.u32 [%0], %1;" :: "l"(p), "r"(r) : "memory");
}
TS_DEVICE void ts_store_once(uint2 r, void* p) {
  asm volatile("st.global.cs.v2.u32 [%0], {%1, %2};" :: "l"(p), "r"(r.x), "r"(r.y) : "memory");
}
TS_DEVICE void ts_store_once(uint4 r, void* p) {
  asm volatile("st.global.cs.v4.u32 [%0], {%1, %2, %3, %4};"
       :: "l"(p), "r"(r.x), "r"(r.y), "r"(r.z), "r"(r.w) : "memory");
}
template <class T, class V> TS_DEVICE void ts_store_global_stream(T* p, const V& v) {
  ts_pun<V> x;
  x.value = v;
  ts_store_once(x.raw, p);
}
//: ts_load_shared
template <class V, class T> TS_DEVICE V ts_load_shared(const T* p) { return ts_plain_load<V>(p); }
//: ts_store_shared
template <class T, class V> TS_DEVICE void ts_store_shared(T* p, const V& v) {
  ts_plain_store<V>(p, v);
}
//: ts_async_copy sm_80
template <int BYTES, class T> TS_DEVICE void ts_async_copy(T* to, const T* from, bool take) {
  static_assert(BYTES == 4 || BYTES == 8 || BYTES == 16, "asynchronous copies are of 4, 8 or 16 bytes");
  const u32 target = (u32)__cvta_generic_to_shared(to), taken = take ? BYTES : 0;
  if constexpr (BYTES == 16)  // past L1
    asm volatile("cp.async.cg.shared.global [%0], [%1], 16, %2;"
                 :: "r"(target), "l"(from), "r"(taken) : "memory");
  else
    asm volatile("cp.async.ca.shared.global [%0], [%1], %2, %3;"
                 :: "r"(target), "l"(from), "n"(BYTES), "r"(taken) : "memory");
}
//: ts_async_commit sm_80
TS_DEVICE void ts_async_commit() { asm volatile("cp.async.commit_group;" ::: "memory"); }
//: ts_async_wait sm_80
template <int N> TS_DEVICE void ts_async_wait() {
  asm volatile("cp.async.wait_group %0;" :: "n"(N) : "memory");
}
)cuda");
}

}  // namespace tessera::codegen::cuda
