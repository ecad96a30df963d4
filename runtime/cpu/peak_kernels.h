// The loops of the peak probe. `run(rounds)` executes rounds x `operations_per_round` operations.
//
// Twelve independent chains: enough for a latency of 4 cycles on two ports, and for the 5 of older
// cores. x86-64 loops are written in assembly, because a compiler may fold, contract or spill them;
// only registers 0 to 15 are used, which every width has.
#pragma once

#include <cstdint>

#include "runtime/cpu/cpu_info.h"
#include "runtime/cpu/peak_probe.h"

namespace tessera::runtime {

struct PeakKernel {
  void (*run)(std::int64_t rounds);
  double operations_per_round;
};

#if defined(__x86_64__)

namespace detail {

alignas(64) inline constexpr float kHalvesF32[16] = {.5F, .5F, .5F, .5F, .5F, .5F, .5F, .5F,
                                                     .5F, .5F, .5F, .5F, .5F, .5F, .5F, .5F};
alignas(64) inline constexpr double kHalvesF64[8] = {.5, .5, .5, .5, .5, .5, .5, .5};
alignas(64) inline constexpr std::int32_t kIntegers[16] = {3, 3, 3, 3, 3, 3, 3, 3,
                                                           3, 3, 3, 3, 3, 3, 3, 3};

// clang-format off
#define TESSERA_CHAINS(op) op("0") op("1") op("2") op("3") op("4") op("5") \
                           op("6") op("7") op("8") op("9") op("10") op("11")
#define TESSERA_CLOBBERS "cc", "memory", "xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5", "xmm6", \
  "xmm7", "xmm8", "xmm9", "xmm10", "xmm11", "xmm12", "xmm13", "xmm14", "xmm15"
#define TESSERA_LOAD_Z(i) "vmovups (%[k]), %%zmm" i "\n"
#define TESSERA_LOAD_Y(i) "vmovups (%[k]), %%ymm" i "\n"
#define TESSERA_LOAD_X(i) "movups (%[k]), %%xmm" i "\n"
// Register 12 and every accumulator start with the operands at `k`; each round runs `body` on all
// the chains twice.
#define TESSERA_PEAK_LOOP(name, table, load, end, body)                                       \
  inline void name(std::int64_t rounds) {                                                     \
    asm volatile(load("12") TESSERA_CHAINS(load)                                              \
                 "1:\n" TESSERA_CHAINS(body) TESSERA_CHAINS(body) "dec %[n]\njnz 1b\n" end    \
                 : [n] "+r"(rounds) : [k] "r"(table) : TESSERA_CLOBBERS);                     \
  }

#define TESSERA_FMA_F32_Z(i) "vfmadd213ps %%zmm12, %%zmm12, %%zmm" i "\n"
#define TESSERA_FMA_F32_Y(i) "vfmadd213ps %%ymm12, %%ymm12, %%ymm" i "\n"
#define TESSERA_FMA_F64_Z(i) "vfmadd213pd %%zmm12, %%zmm12, %%zmm" i "\n"
#define TESSERA_FMA_F64_Y(i) "vfmadd213pd %%ymm12, %%ymm12, %%ymm" i "\n"
// Without a fused instruction the product goes to a scratch register, so that only the cheap
// addition is a chain.
#define TESSERA_MUL_ADD_F32_X(i) "movaps %%xmm12, %%xmm13\nmulps %%xmm12, %%xmm13\naddps %%xmm13, %%xmm" i "\n"
#define TESSERA_MUL_ADD_F64_X(i) "movapd %%xmm12, %%xmm13\nmulpd %%xmm12, %%xmm13\naddpd %%xmm13, %%xmm" i "\n"
#define TESSERA_MUL_ADD_I32_Z(i) "vpmulld %%zmm12, %%zmm12, %%zmm13\nvpaddd %%zmm13, %%zmm" i ", %%zmm" i "\n"
#define TESSERA_MUL_ADD_I32_Y(i) "vpmulld %%ymm12, %%ymm12, %%ymm13\nvpaddd %%ymm13, %%ymm" i ", %%ymm" i "\n"
// SSE2 has no 32-bit product: two 32 x 32 to 64 ones stand for it, as every compiler writes it.
#define TESSERA_MUL_ADD_I32_X(i) \
  "movdqa %%xmm12, %%xmm13\nmovdqa %%xmm12, %%xmm14\npmuludq %%xmm12, %%xmm13\n" \
  "pmuludq %%xmm12, %%xmm14\npunpckldq %%xmm14, %%xmm13\npaddd %%xmm13, %%xmm" i "\n"
#define TESSERA_DOT_I8_Z(i) "vpdpbusd %%zmm12, %%zmm12, %%zmm" i "\n"
#define TESSERA_DOT_I8_Y(i) "%{vex%} vpdpbusd %%ymm12, %%ymm12, %%ymm" i "\n"
// Without dot products: 8-bit values widened to 16, whose pairwise products are summed exactly.
#define TESSERA_PAIR_I16_Z(i) "vpmaddwd %%zmm12, %%zmm12, %%zmm13\nvpaddd %%zmm13, %%zmm" i ", %%zmm" i "\n"
#define TESSERA_PAIR_I16_Y(i) "vpmaddwd %%ymm12, %%ymm12, %%ymm13\nvpaddd %%ymm13, %%ymm" i ", %%ymm" i "\n"
#define TESSERA_PAIR_I16_X(i) "movdqa %%xmm12, %%xmm13\npmaddwd %%xmm12, %%xmm13\npaddd %%xmm13, %%xmm" i "\n"

TESSERA_PEAK_LOOP(fma_f32_z, kHalvesF32, TESSERA_LOAD_Z, "vzeroupper\n", TESSERA_FMA_F32_Z)
TESSERA_PEAK_LOOP(fma_f32_y, kHalvesF32, TESSERA_LOAD_Y, "vzeroupper\n", TESSERA_FMA_F32_Y)
TESSERA_PEAK_LOOP(fma_f32_x, kHalvesF32, TESSERA_LOAD_X, "", TESSERA_MUL_ADD_F32_X)
TESSERA_PEAK_LOOP(fma_f64_z, kHalvesF64, TESSERA_LOAD_Z, "vzeroupper\n", TESSERA_FMA_F64_Z)
TESSERA_PEAK_LOOP(fma_f64_y, kHalvesF64, TESSERA_LOAD_Y, "vzeroupper\n", TESSERA_FMA_F64_Y)
TESSERA_PEAK_LOOP(fma_f64_x, kHalvesF64, TESSERA_LOAD_X, "", TESSERA_MUL_ADD_F64_X)
TESSERA_PEAK_LOOP(mul_add_i32_z, kIntegers, TESSERA_LOAD_Z, "vzeroupper\n", TESSERA_MUL_ADD_I32_Z)
TESSERA_PEAK_LOOP(mul_add_i32_y, kIntegers, TESSERA_LOAD_Y, "vzeroupper\n", TESSERA_MUL_ADD_I32_Y)
TESSERA_PEAK_LOOP(mul_add_i32_x, kIntegers, TESSERA_LOAD_X, "", TESSERA_MUL_ADD_I32_X)
TESSERA_PEAK_LOOP(dot_i8_z, kIntegers, TESSERA_LOAD_Z, "vzeroupper\n", TESSERA_DOT_I8_Z)
TESSERA_PEAK_LOOP(dot_i8_y, kIntegers, TESSERA_LOAD_Y, "vzeroupper\n", TESSERA_DOT_I8_Y)
TESSERA_PEAK_LOOP(pair_i16_z, kIntegers, TESSERA_LOAD_Z, "vzeroupper\n", TESSERA_PAIR_I16_Z)
TESSERA_PEAK_LOOP(pair_i16_y, kIntegers, TESSERA_LOAD_Y, "vzeroupper\n", TESSERA_PAIR_I16_Y)
TESSERA_PEAK_LOOP(pair_i16_x, kIntegers, TESSERA_LOAD_X, "", TESSERA_PAIR_I16_X)
#undef TESSERA_PEAK_LOOP
#undef TESSERA_CHAINS
// clang-format on

}  // namespace detail

inline PeakKernel peak_kernel(ProbeKind kind) {
  using namespace detail;
  const IsaFeatures& isa = isa_features();
  const bool wide = isa.avx512f, middle = isa.avx2 && isa.fma;
  // 2 operations x 24 instructions x lanes (x products a lane).
  const double lanes = 48.0 * (wide ? 16 : middle ? 8 : 4);
  switch (kind) {
    case ProbeKind::kF32:
      return {wide ? fma_f32_z : middle ? fma_f32_y : fma_f32_x, lanes};
    case ProbeKind::kF64:
      return {wide ? fma_f64_z : middle ? fma_f64_y : fma_f64_x, lanes / 2};
    case ProbeKind::kI32:
      return {wide ? mul_add_i32_z : middle ? mul_add_i32_y : mul_add_i32_x, lanes};
    case ProbeKind::kI8:
      break;
  }
  if (wide && isa.avx512_vnni) return {dot_i8_z, 48.0 * 16 * 4};
  if (isa.avx_vnni) return {dot_i8_y, 48.0 * 8 * 4};
  if (wide && isa.avx512bw) return {pair_i16_z, 48.0 * 16 * 2};
  if (middle) return {pair_i16_y, 48.0 * 8 * 2};
  return {pair_i16_x, 48.0 * 4 * 2};
}

#else

namespace detail {

/// Twelve chains of 16-byte vectors that the compiler maps to whatever the machine has.
template <class T>
void portable_multiply_add(std::int64_t rounds) {
  typedef T Vector __attribute__((vector_size(16)));
  constexpr int kChains = 12;
  volatile T seed = static_cast<T>(1);  // unknown to the compiler
  const T x = seed;
  const Vector factor = Vector{} + x;
  Vector chain[kChains];
  for (Vector& c : chain) c = factor;
  for (std::int64_t r = 0; r < 2 * rounds; ++r)
    for (int i = 0; i < kChains; ++i) chain[i] = chain[i] * factor + factor;
  Vector sum{};
  for (const Vector& c : chain) sum += c;
  volatile T sink = sum[0];
  (void)sink;
}

}  // namespace detail

inline PeakKernel peak_kernel(ProbeKind kind) {
  switch (kind) {
    case ProbeKind::kF64:
      return {detail::portable_multiply_add<double>, 48.0 * 2};
    case ProbeKind::kF32:
      return {detail::portable_multiply_add<float>, 48.0 * 4};
    case ProbeKind::kI32:
    case ProbeKind::kI8:
      break;
  }
  return {detail::portable_multiply_add<std::uint32_t>, 48.0 * 4};
}

#endif

}  // namespace tessera::runtime
