// The table of tensor intrinsics: what `tensorize` can put in place of inner loops. A row gives the
// semantics as a compute, the operand layouts it needs, and the target features; lowering expands or
// emits it.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "ir/mma.h"
#include "ir/type.h"

namespace tessera::schedule {

struct TensorIntrinsic {
  std::string name;
  /// Of a CPU: C[m, n] += A[m] * B[n] on `m` rows and `n` columns (0: any count up to `max_rows`).
  std::int64_t lanes;          // columns of one vector register
  std::int64_t max_rows;       // rows times column vectors that fit the register file
  ir::Type type;               // of the products that are added up
  std::vector<std::string> features;  // LLVM feature names the target must have
  /// Of a GPU: the product of a warp, in place of what is above.
  const ir::Mma* mma;
};

const std::vector<TensorIntrinsic>& tensor_intrinsics();
const TensorIntrinsic* find_tensor_intrinsic(const std::string& name);

}  // namespace tessera::schedule
