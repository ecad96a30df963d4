// The products that one instruction of tensor cores computes: mma.sync of a warp.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

#include "ir/expr.h"
#include "ir/type.h"

namespace tessera::ir {

/// C[m, n] += A[m, k] * B[k, n], all 32 threads of a warp together. Who holds what (PTX ISA, "Matrix
/// fragments for mma"), with t = lane % 4, g = lane / 4 and c = 16 bytes of neighbours along k:
///
///   C: rows g and g + 8, columns 2t and 2t + 1           4 sums
///   A: rows g, g + 8 of each c, bytes 4t .. 4t + 4        4 words
///   B: column g of each c, bytes 4t .. 4t + 4             2 words
struct Mma {
  const char* name;   // "cuda.mma.m16n8k16.f16"
  const char* call;   // the intrinsic of the text
  Type operand, sum;  // of A and B; of C
  int m, n, k;
  int capability;     // the least that has it

  /// Elements of 16 bytes: what one row of a matrix of ldmatrix holds.
  int chunk() const { return 16 / operand.bytes(); }
};

inline constexpr int kMmaWordsA = 4, kMmaWordsB = 2, kMmaSums = 4;

std::span<const Mma> mmas();
/// nullptr when there is none of that name.
const Mma* find_mma(std::string_view name);
/// The one that multiplies `operand`s into a `sum`; nullptr when there is none.
const Mma* mma_of(Type operand, Type sum);

/// One factor of a product: what it reads, and the type whose values tensor cores multiply.
///
///   A[i, k]                       the type of A
///   cast(f32, A[i, k])            the type of A
///   cast(f32, cast(tf32, A[i, k]))  tf32: what is read is rounded on the way
struct MmaFactor {
  const Load* load = nullptr;  // nullptr: of another form
  Type type;
  bool rounded() const { return load->type != type; }
};
MmaFactor mma_factor(const Expr& e);

}  // namespace tessera::ir
