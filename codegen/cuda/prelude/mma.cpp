#include "codegen/cuda/prelude/rows.h"

namespace tessera::codegen::cuda {

namespace {

/// NAME and TRANS (".trans" or nothing) are filled in.
constexpr const char* kLdmatrix = R"cuda(
//: ts_ldmatrix_x1NAME sm_75
template <int N, class T> TS_DEVICE void ts_ldmatrix_x1NAME(ts_local<u32, N>& to, i32 at, const T* row) {
  asm volatile("ldmatrix.sync.aligned.m8n8.x1TRANS.shared.b16 {%0}, [%1];"
               : "=r"(to[at]) : "r"((u32)__cvta_generic_to_shared(row)) : "memory");
}
//: ts_ldmatrix_x2NAME sm_75
template <int N, class T> TS_DEVICE void ts_ldmatrix_x2NAME(ts_local<u32, N>& to, i32 at, const T* row) {
  asm volatile("ldmatrix.sync.aligned.m8n8.x2TRANS.shared.b16 {%0, %1}, [%2];"
               : "=r"(to[at]), "=r"(to[at + 1]) : "r"((u32)__cvta_generic_to_shared(row)) : "memory");
}
//: ts_ldmatrix_x4NAME sm_75
template <int N, class T> TS_DEVICE void ts_ldmatrix_x4NAME(ts_local<u32, N>& to, i32 at, const T* row) {
  asm volatile("ldmatrix.sync.aligned.m8n8.x4TRANS.shared.b16 {%0, %1, %2, %3}, [%4];"
               : "=r"(to[at]), "=r"(to[at + 1]), "=r"(to[at + 2]), "=r"(to[at + 3])
               : "r"((u32)__cvta_generic_to_shared(row)) : "memory");
}
)cuda";

/// Four sums of type SUM, which an asm operand takes as KIND.
constexpr const char* kMma = R"cuda(
//: NAME sm_80
template <int NC, int NA, int NB>
TS_DEVICE void NAME(ts_local<SUM, NC>& c, i32 ci, const ts_local<u32, NA>& a, i32 ai,
                    const ts_local<u32, NB>& b, i32 bi) {
  asm("mma.sync.aligned.SHAPE {%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, {%0, %1, %2, %3};"
      : "KIND"(c[ci]), "KIND"(c[ci + 1]), "KIND"(c[ci + 2]), "KIND"(c[ci + 3])
      : "r"(a[ai]), "r"(a[ai + 1]), "r"(a[ai + 2]), "r"(a[ai + 3]), "r"(b[bi]), "r"(b[bi + 1]));
}
)cuda";

constexpr const char* kMmaHalfSums = R"cuda(
//: ts_mma_m16n8k16_f16_f16 sm_80
template <int NC, int NA, int NB>
TS_DEVICE void ts_mma_m16n8k16_f16_f16(ts_local<u32, NC>& c, i32 ci, const ts_local<u32, NA>& a, i32 ai,
                                       const ts_local<u32, NB>& b, i32 bi) {
  asm("mma.sync.aligned.m16n8k16.row.col.f16.f16.f16.f16 {%0, %1}, {%2, %3, %4, %5}, {%6, %7}, {%0, %1};"
      : "+r"(c[ci]), "+r"(c[ci + 1])
      : "r"(a[ai]), "r"(a[ai + 1]), "r"(a[ai + 2]), "r"(a[ai + 3]), "r"(b[bi]), "r"(b[bi + 1]));
}
)cuda";

std::string mma(const std::string& name, const std::string& shape, const std::string& sum) {
  return with(kMma, {{"NAME", "ts_mma_" + name},
                     {"SHAPE", shape},
                     {"SUM", sum},
                     {"KIND", sum == "f32" ? "+f" : "+r"}});
}

}  // namespace

PreludeRows mma_rows() {
  return read_rows(with(kLdmatrix, {{"NAME", ""}, {"TRANS", ""}}) +
                   with(kLdmatrix, {{"NAME", "_trans"}, {"TRANS", ".trans"}}) +
                   mma("m16n8k16_f16", "m16n8k16.row.col.f32.f16.f16.f32", "f32") +
                   mma("m16n8k16_bf16", "m16n8k16.row.col.f32.bf16.bf16.f32", "f32") + kMmaHalfSums +
                   mma("m16n8k8_tf32", "m16n8k8.row.col.f32.tf32.tf32.f32", "f32") +
                   mma("m16n8k32_s8", "m16n8k32.row.col.s32.s8.s8.s32", "i32"));
}

}  // namespace tessera::codegen::cuda
