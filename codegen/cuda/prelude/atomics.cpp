#include "codegen/cuda/prelude/rows.h"

namespace tessera::codegen::cuda {

// The maximum of f32 goes through its bits: they are ordered like i32 where the sign is clear and
// against u32 where it is set.
PreludeRows atomic_rows() {
  return read_rows(R"cuda(
//: ts_atomic_add_global
template <class T> TS_DEVICE T ts_atomic_add_global(T* p, T v) { return atomicAdd(p, v); }
//: ts_atomic_max_global
template <class T> TS_DEVICE T ts_atomic_max_global(T* p, T v) { return atomicMax(p, v); }
TS_DEVICE f32 ts_atomic_max_global(f32* p, f32 v) {
  const i32 bits = __float_as_int(v);
  return bits >= 0 ? __int_as_float(atomicMax(reinterpret_cast<i32*>(p), bits))
                   : __uint_as_float(atomicMin(reinterpret_cast<u32*>(p), (u32)bits));
}
//: ts_atomic_min_global
template <class T> TS_DEVICE T ts_atomic_min_global(T* p, T v) { return atomicMin(p, v); }
TS_DEVICE f32 ts_atomic_min_global(f32* p, f32 v) {
  const i32 bits = __float_as_int(v);
  return bits >= 0 ? __int_as_float(atomicMin(reinterpret_cast<i32*>(p), bits))
                   : __uint_as_float(atomicMax(reinterpret_cast<u32*>(p), (u32)bits));
}
//: ts_atomic_add_shared
template <class T> TS_DEVICE T ts_atomic_add_shared(T* p, T v) { return atomicAdd(p, v); }
//: ts_atomic_max_shared
template <class T> TS_DEVICE T ts_atomic_max_shared(T* p, T v) { return atomicMax(p, v); }
TS_DEVICE f32 ts_atomic_max_shared(f32* p, f32 v) {
  const i32 bits = __float_as_int(v);
  return bits >= 0 ? __int_as_float(atomicMax(reinterpret_cast<i32*>(p), bits))
                   : __uint_as_float(atomicMin(reinterpret_cast<u32*>(p), (u32)bits));
}
//: ts_atomic_min_shared
template <class T> TS_DEVICE T ts_atomic_min_shared(T* p, T v) { return atomicMin(p, v); }
TS_DEVICE f32 ts_atomic_min_shared(f32* p, f32 v) {
  const i32 bits = __float_as_int(v);
  return bits >= 0 ? __int_as_float(atomicMin(reinterpret_cast<i32*>(p), bits))
                   : __uint_as_float(atomicMax(reinterpret_cast<u32*>(p), (u32)bits));
}
//: ts_counter
#define ts_counter(name) static __device__ u32 name
//: ts_atomic_inc_global
TS_DEVICE u32 ts_atomic_inc_global(u32* p, u32 last) { return atomicInc(p, last); }
//: ts_atomic_exchange_global
template <class T> TS_DEVICE T ts_atomic_exchange_global(T* p, T v) { return atomicExch(p, v); }
//: ts_fence_gpu
TS_DEVICE void ts_fence_gpu() { __threadfence(); }
//: ts_fence_block
TS_DEVICE void ts_fence_block() { __threadfence_block(); }
//: ts_load_acquire
TS_DEVICE u32 ts_load_acquire(const u32* p) {
  u32 v;
  asm volatile("ld.acquire.gpu.global.u32 %0, [%1];" : "=r"(v) : "l"(p) : "memory");
  return v;
}
//: ts_store_release
TS_DEVICE void ts_store_release(u32* p, u32 v) {
  asm volatile("st.release.gpu.global.u32 [%0], %1;" :: "l"(p), "r"(v) : "memory");
}
//: ts_trap
TS_DEVICE void ts_trap() { __trap(); }
//: ts_wait_equal
TS_DEVICE void ts_wait_equal(const u32* p, u32 v) {
  for (u32 polls = 0; ts_load_acquire(p) != v; ++polls) {
    if (polls == 1u << 22) __trap();
  }
}
)cuda");
}

}  // namespace tessera::codegen::cuda
