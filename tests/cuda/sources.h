// A small program of one kernel, as the printer will hand it over.
#pragma once

#include <string>

#include "codegen/cuda/build_image.h"
#include "tests/runtime/c_kernel.h"

namespace tessera::test {

/// O[i] = 2 A[i] over 1000 floats, or what `body` makes of it: statements that see `a`, `o`, `n` and the
/// thread's number `i` of 1024.
inline codegen::CudaSource doubling_source(const std::string& body = "if (i < n) o[i] = 2 * a[i];") {
  constexpr std::int64_t kLength = runtime::testing::kLength;
  codegen::CudaSource out;
  out.name = "doubling";
  out.text =
      "extern \"C\" __global__ void __launch_bounds__(256) doubles(float* a, float* o) {\n  const int n = "
      "1000, i = blockIdx.x * 256 + threadIdx.x;\n  " +
      body + "\n}\n";
  out.image.entries = {{"doubles"}};
  out.image.launches = {
      {"doubles",
       runtime::Phase::kRun,
       {{runtime::LaunchArgumentKind::kTensor, 0}, {runtime::LaunchArgumentKind::kTensor, 1}},
       0,
       {4, 1, 1},
       {256, 1, 1},
       {},
       0}};
  out.image.arguments = {{"A", ir::f32, {kLength}, kLength * 4, 64, runtime::ArgumentRole::kInput},
                         {"O", ir::f32, {kLength}, kLength * 4, 64, runtime::ArgumentRole::kOutput}};
  return out;
}

}  // namespace tessera::test
