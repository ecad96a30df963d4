#pragma once

#include "lower/lower.h"

namespace tessera::lower {

/// Loops that stand for the product of a warp (schedule/steps/tensorize.h) become the instruction: fragments
/// of the operands by ldmatrix, then the products.
///
///   for i unroll: for j unroll: for lane lane {cuda.mma.m16n8k16.f16}: for k: for half: for one: C += A.s * B.s
///   ->
///   for lane lane { for i: ldmatrix.x4(a[i], A.s); for j: ldmatrix.x2(b[j], B.s); for i, j: mma(C, a[i], b[j]) }
///
/// A fragment is loaded once for the unrolled loops around that it does not move with; two neighbours of the second
/// operand by one instruction. Where rows of a fragment are not 16 aligned bytes, its elements are loaded one by
/// one. Refuses loops that are not those of the step: something else was put inside of them.
Result<ir::Program> tensorize_loops(const ir::Program& program, const Options& options);

}  // namespace tessera::lower
