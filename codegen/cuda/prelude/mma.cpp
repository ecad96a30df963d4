#include "codegen/cuda/prelude/rows.h"

namespace tessera::codegen::cuda {

namespace {

/// "%first, %first+1, ..." for inline PTX.
std::string operands(int first, int count) {
  std::string list;
  for (int i = 0; i < count; ++i) list += (i == 0 ? "%" : ", %") + std::to_string(first + i);
  return list;
}

/// "\"+f\"(c[ci + 0]), ..." for `count` elements of an array.
std::string constraints(const std::string& kind, const std::string& array, const std::string& at, int count) {
  std::string list;
  for (int i = 0; i < count; ++i)
    list += (i == 0 ? "\"" : ", \"") + kind + "\"(" + array + "[" + at + " + " + std::to_string(i) + "])";
  return list;
}

PreludeRow ldmatrix_row(int matrices, bool transposed) {
  const std::string n = std::to_string(matrices);
  const std::string name = "ts_ldmatrix_x" + n + (transposed ? "_trans" : "");
  return {name,
          "template <int N, class T> TS_DEVICE void " + name + "(ts_local<u32, N>& to, i32 at, const T* row) {\n"
          "  asm volatile(\"ldmatrix.sync.aligned.m8n8.x" + n + (transposed ? ".trans" : "") + ".shared.b16 {" +
          operands(0, matrices) + "}, [" + operands(matrices, 1) + "];\"\n    : " +
          constraints("=r", "to", "at", matrices) +
          " : \"r\"((u32)__cvta_generic_to_shared(row)) : \"memory\");\n}\n",
          75};
}

/// `c_kind`: the constraint letter of the sums; registers of c, a and b as the PTX ISA lists them.
PreludeRow mma_row(const std::string& name, const std::string& instruction, const std::string& c_type, int c, int a,
                   int b) {
  const std::string kind = c_type == "f32" ? "+f" : "+r";
  return {name,
          "template <int NC, int NA, int NB>\nTS_DEVICE void " + name + "(ts_local<" + c_type +
          ", NC>& c, i32 ci, const ts_local<u32, NA>& a, i32 ai, const ts_local<u32, NB>& b, i32 bi) {\n"
          "  asm(\"mma.sync.aligned." + instruction + " {" + operands(0, c) + "}, {" + operands(c, a) + "}, {" +
          operands(c + a, b) + "}, {" + operands(0, c) + "};\"\n    : " + constraints(kind, "c", "ci", c) + "\n    : " +
          constraints("r", "a", "ai", a) + ", " + constraints("r", "b", "bi", b) + ");\n}\n",
          80};
}

}  // namespace

PreludeRows mma_rows() {
  PreludeRows rows;
  for (const bool transposed : {false, true})
    for (const int matrices : {1, 2, 4}) rows.push_back(ldmatrix_row(matrices, transposed));
  rows.push_back(mma_row("ts_mma_m16n8k16_f16", "m16n8k16.row.col.f32.f16.f16.f32", "f32", 4, 4, 2));
  rows.push_back(mma_row("ts_mma_m16n8k16_bf16", "m16n8k16.row.col.f32.bf16.bf16.f32", "f32", 4, 4, 2));
  rows.push_back(mma_row("ts_mma_m16n8k16_f16_f16", "m16n8k16.row.col.f16.f16.f16.f16", "u32", 2, 4, 2));
  rows.push_back(mma_row("ts_mma_m16n8k8_tf32", "m16n8k8.row.col.f32.tf32.tf32.f32", "f32", 4, 4, 2));
  rows.push_back(mma_row("ts_mma_m16n8k32_s8", "m16n8k32.row.col.s32.s8.s8.s32", "i32", 4, 4, 2));
  return rows;
}

}  // namespace tessera::codegen::cuda
