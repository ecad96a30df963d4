#include "codegen/cuda/prelude/rows.h"

namespace tessera::codegen::cuda {

namespace {

/// max or min of f32 through its bits: they are ordered like i32 where the sign is clear and against
/// u32 where it is set.
std::string extreme_row(const std::string& name, const std::string& op, const std::string& other) {
  return "template <class T> TS_DEVICE T " + name + "(T* p, T v) { return atomic" + op + "(p, v); }\n"
         "TS_DEVICE f32 " + name + "(f32* p, f32 v) {\n"
         "  const i32 bits = __float_as_int(v);\n"
         "  return bits >= 0 ? __int_as_float(atomic" + op + "(reinterpret_cast<i32*>(p), bits))\n"
         "                   : __uint_as_float(atomic" + other + "(reinterpret_cast<u32*>(p), (u32)bits));\n}\n";
}

}  // namespace

PreludeRows atomic_rows() {
  PreludeRows rows;
  for (const std::string space : {"global", "shared"}) {
    rows.push_back({"ts_atomic_add_" + space, "template <class T> TS_DEVICE T ts_atomic_add_" + space + "(T* p, T v) { return atomicAdd(p, v); }\n"});
    rows.push_back({"ts_atomic_max_" + space, extreme_row("ts_atomic_max_" + space, "Max", "Min")});
    rows.push_back({"ts_atomic_min_" + space, extreme_row("ts_atomic_min_" + space, "Min", "Max")});
  }
  rows.push_back({"ts_atomic_inc_global", "TS_DEVICE u32 ts_atomic_inc_global(u32* p, u32 last) { return atomicInc(p, last); }\n"});
  rows.push_back({"ts_atomic_exchange_global", "template <class T> TS_DEVICE T ts_atomic_exchange_global(T* p, T v) { return atomicExch(p, v); }\n"});
  rows.push_back({"ts_fence_gpu", "TS_DEVICE void ts_fence_gpu() { __threadfence(); }\n"});
  rows.push_back({"ts_fence_block", "TS_DEVICE void ts_fence_block() { __threadfence_block(); }\n"});
  rows.push_back({"ts_load_acquire", R"(TS_DEVICE u32 ts_load_acquire(const u32* p) {
  u32 v;
  asm volatile("ld.acquire.gpu.global.u32 %0, [%1];" : "=r"(v) : "l"(p) : "memory");
  return v;
}
)"});
  rows.push_back({"ts_store_release", R"(TS_DEVICE void ts_store_release(u32* p, u32 v) {
  asm volatile("st.release.gpu.global.u32 [%0], %1;" :: "l"(p), "r"(v) : "memory");
}
)"});
  rows.push_back({"ts_trap", "TS_DEVICE void ts_trap() { __trap(); }\n"});
  rows.push_back({"ts_wait_equal", R"(TS_DEVICE void ts_wait_equal(const u32* p, u32 v) {
  for (u32 polls = 0; ts_load_acquire(p) != v; ++polls) {
    if (polls == 1u << 22) __trap();
  }
}
)"});
  return rows;
}

}  // namespace tessera::codegen::cuda
