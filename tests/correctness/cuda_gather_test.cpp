// Reads whose index is itself read: the lanes of a vector look at elements of which only the data knows.
#include <gtest/gtest.h>

#include "tests/correctness/cuda_kernels.h"

namespace tessera::test {
namespace {

/// O[i, j] = A[I[i, j] kept inside, j], four elements a thread in vectors of `lanes`.
Schedule gather(std::int64_t rows, std::int64_t columns, std::int64_t lanes, Scope scope) {
  auto A = placeholder({13, columns}, f32, "A"), I = placeholder({rows, columns}, ir::i32, "I");
  auto O = compute({rows, columns}, [&](Var i, Var j) {
    return A(ir::cast(ir::i64, ir::min(ir::max(I(i, j), 0), 12)), j) + 1.0;
  }, "O");
  Schedule s(ComputeDag::from_outputs({O}, "gather"));
  s.split("O", "j", {"b", "x", "v"}, {8, lanes}).bind("O", "i", ForKind::kBlockY).bind("O", "b", ForKind::kBlockX);
  s.bind("O", "x", ForKind::kThreadX).vectorize("O", "v");
  if (scope == Scope::kShared) s.cache_read("I", {"O"}, "I.s", scope).compute_at("I.s", "O", "b").pad_box("I.s");
  return s;
}

TEST(CudaGather, VectorsReadWhereTheDataSays) {
  for (const std::int64_t lanes : {2, 4}) {
    for (const std::int64_t columns : {64, 37}) {
      for (const Scope scope : {Scope::kGlobal, Scope::kShared}) {
        SCOPED_TRACE(std::to_string(lanes) + " lanes, " + std::to_string(columns) + " columns, " + ir::to_string(scope));
        expect_right(gather(3, columns, lanes, scope));
      }
    }
  }
}

}  // namespace
}  // namespace tessera::test
