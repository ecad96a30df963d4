#include "codegen/cuda/prelude/rows.h"

namespace tessera::codegen::cuda {

namespace {

/// A load of each width through inline PTX: `instruction` up to the type, such as "ld.global.nc".
/// Not volatile: what it reads does not change, so the compiler may move it.
std::string constant_load_row(const std::string& helper, const std::string& instruction) {
  return "TS_DEVICE void " + helper + "(u8& r, const void* p) { u16 x; asm(\"" + instruction +
         ".u8 %0, [%1];\" : \"=h\"(x) : \"l\"(p)); r = (u8)x; }\n"
         "TS_DEVICE void " + helper + "(u16& r, const void* p) { asm(\"" + instruction +
         ".u16 %0, [%1];\" : \"=h\"(r) : \"l\"(p)); }\n"
         "TS_DEVICE void " + helper + "(u32& r, const void* p) { asm(\"" + instruction +
         ".u32 %0, [%1];\" : \"=r\"(r) : \"l\"(p)); }\n"
         "TS_DEVICE void " + helper + "(uint2& r, const void* p) { asm(\"" + instruction +
         ".v2.u32 {%0, %1}, [%2];\" : \"=r\"(r.x), \"=r\"(r.y) : \"l\"(p)); }\n"
         "TS_DEVICE void " + helper + "(uint4& r, const void* p) { asm(\"" + instruction +
         ".v4.u32 {%0, %1, %2, %3}, [%4];\" : \"=r\"(r.x), \"=r\"(r.y), \"=r\"(r.z), \"=r\"(r.w) : \"l\"(p)); }\n";
}

std::string load_row(const std::string& name, const std::string& helper) {
  return constant_load_row(helper, name == "ts_load_global_nc" ? "ld.global.nc"
                                                               : "ld.global.nc.L1::no_allocate") +
         "template <class V, class T> TS_DEVICE V " + name + "(const T* p) { ts_pun<V> x; " + helper +
         "(x.raw, p); return x.value; }\n";
}

std::string async_copy_row() {
  std::string text = "template <int BYTES> struct ts_async_width;\n";
  for (const char* width : {"4", "8", "16"}) {
    const std::string w = width, cache = w == "16" ? "cg" : "ca";
    text += "template <> struct ts_async_width<" + w + "> { static TS_DEVICE void copy(u32 to, const void* from, u32 take) { "
            "asm volatile(\"cp.async." + cache + ".shared.global [%0], [%1], " + w +
            ", %2;\" :: \"r\"(to), \"l\"(from), \"r\"(take) : \"memory\"); } };\n";
  }
  return text +
         "template <int BYTES, class T> TS_DEVICE void ts_async_copy(T* to, const T* from, bool take) {\n"
         "  ts_async_width<BYTES>::copy((u32)__cvta_generic_to_shared(to), from, take ? BYTES : 0);\n}\n";
}

}  // namespace

PreludeRows memory_rows() {
  PreludeRows rows;
  for (const std::string axis : {"x", "y", "z"}) {
    rows.push_back({"ts_thread_" + axis, "TS_DEVICE i32 ts_thread_" + axis + "() { return (i32)threadIdx." + axis + "; }\n"});
    rows.push_back({"ts_block_" + axis, "TS_DEVICE i32 ts_block_" + axis + "() { return (i32)blockIdx." + axis + "; }\n"});
    rows.push_back({"ts_grid_" + axis, "TS_DEVICE i32 ts_grid_" + axis + "() { return (i32)gridDim." + axis + "; }\n"});
  }
  rows.push_back({"ts_arena", "extern __shared__ __align__(1024) u8 ts_arena[];\n"});
  rows.push_back({"ts_shared", "template <class T> TS_DEVICE T* ts_shared(i32 offset) { return reinterpret_cast<T*>(ts_arena + offset); }\n"});
  // Every access of a width has one type whatever it holds, so that no two alias by type.
  rows.push_back({"ts_raw", R"(template <int BYTES> struct ts_raw;
template <> struct ts_raw<1> { typedef u8 type; };
template <> struct ts_raw<2> { typedef u16 type; };
template <> struct ts_raw<4> { typedef u32 type; };
template <> struct ts_raw<8> { typedef uint2 type; };
template <> struct ts_raw<16> { typedef uint4 type; };
)"});
  rows.push_back({"ts_pun", "template <class V> union ts_pun { typename ts_raw<sizeof(V)>::type raw; V value; };\n"});
  rows.push_back({"ts_plain_load", R"(template <class V> TS_DEVICE V ts_plain_load(const void* p) {
  ts_pun<V> x;
  x.raw = *static_cast<const typename ts_raw<sizeof(V)>::type*>(p);
  return x.value;
}
)"});
  rows.push_back({"ts_plain_store", R"(template <class V> TS_DEVICE void ts_plain_store(void* p, const V& v) {
  ts_pun<V> x;
  x.value = v;
  *static_cast<typename ts_raw<sizeof(V)>::type*>(p) = x.raw;
}
)"});
  rows.push_back({"ts_load_global", "template <class V, class T> TS_DEVICE V ts_load_global(const T* p) { return ts_plain_load<V>(p); }\n"});
  rows.push_back({"ts_load_global_nc", load_row("ts_load_global_nc", "ts_load_nc")});
  rows.push_back({"ts_load_global_stream", load_row("ts_load_global_stream", "ts_load_once")});
  rows.push_back({"ts_store_global", "template <class T, class V> TS_DEVICE void ts_store_global(T* p, const V& v) { ts_plain_store<V>(p, v); }\n"});
  rows.push_back({"ts_store_global_stream", R"(TS_DEVICE void ts_store_once(u8 r, void* p) { asm volatile("st.global.cs.u8 [%0], %1;" :: "l"(p), "h"((u16)r) : "memory"); }
TS_DEVICE void ts_store_once(u16 r, void* p) { asm volatile("st.global.cs.u16 [%0], %1;" :: "l"(p), "h"(r) : "memory"); }
TS_DEVICE void ts_store_once(u32 r, void* p) { asm volatile("st.global.cs.u32 [%0], %1;" :: "l"(p), "r"(r) : "memory"); }
TS_DEVICE void ts_store_once(uint2 r, void* p) { asm volatile("st.global.cs.v2.u32 [%0], {%1, %2};" :: "l"(p), "r"(r.x), "r"(r.y) : "memory"); }
TS_DEVICE void ts_store_once(uint4 r, void* p) { asm volatile("st.global.cs.v4.u32 [%0], {%1, %2, %3, %4};" :: "l"(p), "r"(r.x), "r"(r.y), "r"(r.z), "r"(r.w) : "memory"); }
template <class T, class V> TS_DEVICE void ts_store_global_stream(T* p, const V& v) { ts_pun<V> x; x.value = v; ts_store_once(x.raw, p); }
)"});
  rows.push_back({"ts_load_shared", "template <class V, class T> TS_DEVICE V ts_load_shared(const T* p) { return ts_plain_load<V>(p); }\n"});
  rows.push_back({"ts_store_shared", "template <class T, class V> TS_DEVICE void ts_store_shared(T* p, const V& v) { ts_plain_store<V>(p, v); }\n"});
  rows.push_back({"ts_async_copy", async_copy_row(), 80});
  rows.push_back({"ts_async_commit", "TS_DEVICE void ts_async_commit() { asm volatile(\"cp.async.commit_group;\" ::: \"memory\"); }\n", 80});
  rows.push_back({"ts_async_wait", "template <int N> TS_DEVICE void ts_async_wait() { asm volatile(\"cp.async.wait_group %0;\" :: \"n\"(N) : \"memory\"); }\n", 80});
  return rows;
}

}  // namespace tessera::codegen::cuda
